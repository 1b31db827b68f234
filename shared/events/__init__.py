"""Events: their types, and the codec between them and log records."""
