"""What the pull service does, on its ports."""
