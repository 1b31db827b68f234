"""One script per claim in README."""
