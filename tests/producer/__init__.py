"""Tests: producer."""
