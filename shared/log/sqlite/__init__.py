"""The embedded log, in SQLite files of one machine."""
