"""Engines: what runs a backbone, one file each."""
