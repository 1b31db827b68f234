"""Fixtures of several contract test modules."""

from tests.contracts.full_disk import small_disk as small_disk
