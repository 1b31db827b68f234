"""What bytes are, and what of them is shown."""
