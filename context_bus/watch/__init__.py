"""Watched tasks: any command with a reservation, a heartbeat, a deadline and a history. Must not know contexts."""
