"""Backbones: the protocols, the table, and one file for each kind."""
