"""The benchmarks that are also a promise: the published recipes."""
