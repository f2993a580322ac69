"""What pull decides without asking anyone: no I/O in here."""
