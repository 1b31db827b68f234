"""SQLite files with durable settings: what the embedded log and the embedded store are made of."""
