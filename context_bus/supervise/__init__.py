"""Keeps a set of processes as desired: when to start again, who waits for whom, who is alive.

Decides and asks; must not know what the processes are (services, sessions, steps) nor how they are started.
"""
