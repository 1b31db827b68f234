"""Events: their types, and their form in the log as CloudEvents 1.0 (Kafka binding, binary mode)."""
