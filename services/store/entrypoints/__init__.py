"""What can wake the store."""
