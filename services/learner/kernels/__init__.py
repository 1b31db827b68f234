"""Kernels: the loops over rows that Python would be too slow for, compiled."""
