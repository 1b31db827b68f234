"""Features of a source's images, into a file or straight into an evaluation."""
