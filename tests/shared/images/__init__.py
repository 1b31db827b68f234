"""Tests of shared/images: formats, limits, repair and decoding."""
