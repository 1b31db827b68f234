"""The exit codes of the commands, beside 0 (done) and 1 (failed)."""

WRONG_USAGE = 2
"""A wrong command line or setting, as argparse has it."""

INTERRUPTED = 130
"""Ended by Ctrl-C, as shells have it: 128 + SIGINT."""

BROKEN_PIPE = 141
"""The program that reads the output has ended, as shells have it: 128 + SIGPIPE."""
