"""Routes: one file for each group of HTTP calls."""
