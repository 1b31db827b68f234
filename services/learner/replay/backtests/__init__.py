"""Back-tests: any models on the past of a stream, beside its champion on identical events."""
