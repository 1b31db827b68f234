"""The view: what the log and the store say now, kept in memory to answer requests."""
