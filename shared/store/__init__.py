"""The store: its protocol, and its implementations on SQLite and on Redis."""
