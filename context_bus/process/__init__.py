"""One OS process and all it spawned: start, watch, end. Must not know the bus, services or contexts."""
