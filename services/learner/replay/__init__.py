"""Replay: what is folded again from the log, beside or instead of the live fold."""
