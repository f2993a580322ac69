"""What the controller decides, without I/O."""
