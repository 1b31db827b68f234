"""The gateway: HTTP into events, events into answers."""
