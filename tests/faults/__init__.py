"""Faults injected into real providers from outside; run ``python -m tests.faults --help``."""
