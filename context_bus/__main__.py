"""``python -m context_bus`` is ``context-bus``."""

from context_bus.cli.main import main

if __name__ == "__main__":
    main()
