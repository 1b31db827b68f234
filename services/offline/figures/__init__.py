"""Figures of an evaluation for notebooks: each one SVG that needs nothing else, made of the parts of the report."""
