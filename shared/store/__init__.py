"""The store: its protocol, and an implementation in each file."""
