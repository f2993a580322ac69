"""Each service of a node, counting its steps."""
