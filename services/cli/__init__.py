"""The command line: its parser, the composition root, and the commands of those who run the services."""
