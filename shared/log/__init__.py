"""The log: its protocols, and its implementations, embedded (SQLite) and on Kafka."""
