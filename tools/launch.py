"""Run a command as a watched task; ``launch.py --help`` tells how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout that is not installed

from context_bus.cli.scripts.ending import leave
from context_bus.cli.scripts.launch import main

if __name__ == "__main__":
    leave(main())
