"""Conversations with a provider that runs: ask, command, follow. Must not know the command line."""
