"""Drift: detectors on each model's error and on the features, and what a model does when its error drifts."""
