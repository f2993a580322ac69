"""Names of streams and keys: all a node's traffic can be told by prefix."""

from __future__ import annotations


def commands(node: str, owner: str) -> str:
    """Return the stream of wishes to one owner."""
    return f"wherry:{node}:{owner}:commands"


def changes(node: str, owner: str) -> str:
    """Return the stream of facts from one owner."""
    return f"wherry:{node}:{owner}:changes"


def replies(node: str, service: str, process: str) -> str:
    """Return the stream of answers to one process."""
    return f"wherry:{node}:{service}:replies:{process}"


def dead(stream: str) -> str:
    """Return the stream of what could not be handled."""
    return f"{stream}:dead"


def progress(node: str, job_id: str) -> str:
    """Return the stream of one job's progress."""
    return f"wherry:{node}:progress:{job_id}"


def epoch(node: str, service: str) -> str:
    """Return the key that says which database a changes stream was filled from."""
    return f"wherry:{node}:{service}:epoch"


def lease(name: str) -> str:
    """Return the key that says which process of all nodes does something alone."""
    return f"wherry:lease:{name}"


def generation(node: str) -> str:
    """Return the key whose loss tells that Redis lost its data."""
    return f"wherry:{node}:generation"


def template(stream: str) -> str:
    """Return the stream's name with the node, process and job left open, for span names."""
    parts = stream.split(":")
    parts[1] = "{node}"
    if parts[2] == "progress":
        parts[3] = "{job}"
    elif len(parts) > 4 and parts[3] == "replies":
        parts[4] = "{process}"
    return ":".join(parts)
