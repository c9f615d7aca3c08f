"""When a child that has ended is started again. Pure: time comes in as ``now``."""
