"""Decisions: what people have decided about a stream, one command each, and what follows from all of them."""
