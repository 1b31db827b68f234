"""Tests of replays: the processes they run in, catch-ups, back-tests."""
