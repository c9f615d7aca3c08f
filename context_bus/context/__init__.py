"""The context provider: transactions of services, commands, transitions. Must not know the command line."""
