"""The producer: streams folders, files and data sets into the log."""
