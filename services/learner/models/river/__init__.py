"""River: its classifiers as our models, our models as its classifiers."""
