"""What the services share: events, log, store, configuration, the runner and metrics."""
