"""The sources of images that the producer streams, one file each."""
