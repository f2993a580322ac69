"""What wakes the pull service: the bus for short questions, Celery for jobs."""
