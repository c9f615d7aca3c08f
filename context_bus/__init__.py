"""context_bus: a ZeroMQ message bus, a supervisor and a job runner for sets of cooperating processes."""
