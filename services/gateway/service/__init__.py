"""What the gateway does: verbs to the owners, and the two pictures that reads are served from."""
