"""The log: its protocols, and an implementation in each folder."""
