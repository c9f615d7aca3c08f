"""Task service Alarm."""
