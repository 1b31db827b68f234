"""The report of an evaluation: one HTML page that needs nothing else, and its figures as CSV."""
