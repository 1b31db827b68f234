"""The life of a stream: the fold with commands equals a plain fold of a log that was rewritten by hand."""
