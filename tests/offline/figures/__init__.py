"""Tests: offline figures."""
