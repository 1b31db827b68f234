"""Predictions of a model file, without a gateway."""
