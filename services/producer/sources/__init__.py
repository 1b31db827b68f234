"""Sources: what can be streamed, one file for each kind."""
