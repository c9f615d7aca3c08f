"""Task service Rates."""
