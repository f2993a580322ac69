"""One Redis user for each service of a node, with the least keys and commands."""
