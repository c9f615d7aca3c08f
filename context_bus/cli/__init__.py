"""The command line: the only place that prints, logs and wires the rooms together."""
