"""Many clients and many faults on one node, and what must be true of it whenever it rests."""
