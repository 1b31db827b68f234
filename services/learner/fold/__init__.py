"""The fold: log records in, predictions and outcomes out, and the state that remains."""
