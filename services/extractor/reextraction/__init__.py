"""Re-extraction: features of a stream's stored images through another backbone."""
