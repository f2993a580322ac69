"""What the executor does: a handler per message, and the tasks that outlive one."""
