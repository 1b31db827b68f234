"""The models: a protocol, a base class, a catalogue with one row each, one file each."""
