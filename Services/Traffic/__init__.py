"""Task service Traffic."""
