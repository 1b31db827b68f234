"""Offline work: extract, evaluate and predict with the same parts as the services, without a log."""
