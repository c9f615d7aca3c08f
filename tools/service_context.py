"""Run the provider of a context; ``service_context.py --help`` tells how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout that is not installed

from context_bus.cli.main import run_tool

if __name__ == "__main__":
    run_tool("service_context")
