"""Writes the skeleton of services and their context file. Must not know the bus or running processes."""
