"""Replay: what is rebuilt from the log, beside or instead of the live fold."""
