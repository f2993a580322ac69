"""What can wake the executor."""
