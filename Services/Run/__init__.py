"""Task service Run."""
