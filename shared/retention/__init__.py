"""Retention: how long records are kept, who still needs them, and their removal."""
