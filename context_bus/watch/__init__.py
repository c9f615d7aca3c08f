"""Watched tasks: any command with a reservation, a heartbeat, a timeout, history. Must not know contexts."""
