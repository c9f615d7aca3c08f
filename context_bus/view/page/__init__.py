"""The page that a browser shows of a provider: server, guard, files. Must not know the command line."""
