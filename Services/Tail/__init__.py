"""Task service Tail."""
