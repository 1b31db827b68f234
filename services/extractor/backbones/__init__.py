"""Backbones: the protocol, the table, and one file for each kind."""
