"""Calibration: what a model's probabilities are turned into before they are stored, served and scored."""
