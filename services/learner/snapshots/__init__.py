"""Snapshots: a state and the position it stands for, written so that the write is the commit."""
