"""What can wake the controller."""
