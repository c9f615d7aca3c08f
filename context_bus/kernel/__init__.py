"""What every room may know: ids, clocks, the wire message, state machines. Pure: it never does I/O."""
