"""Evaluation: models scored on a file of features or a source of images, by the same fold as a stream."""
