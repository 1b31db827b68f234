"""Images: detecting the format, limits, repair and decoding, the same for the extractor and for thumbnails."""
