"""Values and decisions of the executor: no I/O, no clock."""
