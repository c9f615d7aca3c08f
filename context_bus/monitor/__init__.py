"""The Monitor service, its records, and what is asked of them. Must not know the provider."""
