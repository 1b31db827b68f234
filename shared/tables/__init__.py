"""Tables on their way out, in pieces: CSV, NDJSON, Parquet."""
