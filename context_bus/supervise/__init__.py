"""Keeps a set of processes as desired: when to start again, who waits for whom, who is alive."""
