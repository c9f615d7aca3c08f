"""The user's task and the process that hosts it. Must not know contexts, providers or commands."""
