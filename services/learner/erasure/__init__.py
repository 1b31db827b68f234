"""Erasure: the records of deleted streams, removed from a log that can."""
