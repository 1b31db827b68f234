"""The models: a protocol, a table, one model per file."""
