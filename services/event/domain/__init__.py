"""What the event service decides, without I/O."""
