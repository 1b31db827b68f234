"""Remote services: what the gateway asks of learners and extractors in other processes."""
