"""Metrics in Prometheus' text format: of a service, and of all services of the node as one.

Each part counts with prometheus_client where the work is done; here they are shown. Counting is
always on and costs microseconds; nothing is computed or sent until somebody asks.
"""
