"""Images: what bytes are, and how they become pixels within limits, for the extractor and for thumbnails."""
