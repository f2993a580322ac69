"""The parent of a node's processes: starts them, keeps them running, stops them in order.

Owns: the order of the services, their restarts, the private redis-server and its folder.
Consumes: signals, and the ends of processes.
Emits: a log line per start and per end.
Never: takes part in a request, stops a plugin, gives a service up, takes one with it when killed.
"""
