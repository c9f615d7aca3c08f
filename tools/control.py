"""Look at watched tasks, reserve, kill and forget them; ``control.py --help`` tells how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout that is not installed

from context_bus.cli.scripts.control import main
from context_bus.cli.scripts.ending import leave

if __name__ == "__main__":
    leave(main())
