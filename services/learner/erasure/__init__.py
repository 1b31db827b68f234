"""Erasure: deleted streams and forgotten images, removed from log, store and snapshots."""
