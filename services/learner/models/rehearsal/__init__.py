"""Rehearsal: memories of earlier examples for models that forget."""
