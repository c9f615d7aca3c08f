"""Task service Aggregate."""
