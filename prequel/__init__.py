"""Prequel as one importable package; its folders are links to those of the first level."""

__version__ = "0.1.0"
