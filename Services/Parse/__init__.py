"""Task service Parse."""
