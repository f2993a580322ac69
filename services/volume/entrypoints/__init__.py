"""What can wake the volume service."""
