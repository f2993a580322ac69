"""A node under a constant rate of operations without any fault, and what grows of it."""
