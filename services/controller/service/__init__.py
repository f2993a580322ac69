"""What the controller does, on its ports."""
