"""Positions in the log as the gateway answers them."""


def offset(position: str) -> int:
    """The second part of ``partition:offset``; all events of a stream are in one partition."""
    return int(position.rpartition(":")[2])
