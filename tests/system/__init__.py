"""The whole system on a real Kafka and a real Redis: processes that are killed, stopped and cut off."""
