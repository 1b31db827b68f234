"""Exports: what a stream has learned from, as tables and images, read from the log by a process of its own."""
