"""When a child that runs counts as hung. Pure: time comes in as ``now``."""
