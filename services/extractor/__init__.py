"""The extractor: image events in, feature events out."""
