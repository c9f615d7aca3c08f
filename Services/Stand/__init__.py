"""Task service Stand."""
