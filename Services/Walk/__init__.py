"""Task service Walk."""
