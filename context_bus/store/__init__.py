"""What survives the death of a provider: records of contexts, services, processes and their ends."""
