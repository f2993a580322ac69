"""What the event service does."""
