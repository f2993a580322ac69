"""The store's decisions: values and pure functions, no I/O, no clock."""
