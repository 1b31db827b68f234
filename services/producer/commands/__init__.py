"""The producer's commands, one file each."""
