"""Task service Alert."""
