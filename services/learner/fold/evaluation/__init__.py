"""Prequential evaluation: counts that a correction can restate, and the metrics computed from them."""
