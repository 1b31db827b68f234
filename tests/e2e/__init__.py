"""End to end: the real processes, as a user runs them."""
