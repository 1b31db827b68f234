"""The Python surface: what `import prequel` gives programs and notebooks, one noun a file."""
