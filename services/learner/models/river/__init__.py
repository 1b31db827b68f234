"""River: its classifiers as models of Prequel, and Prequel's models as its classifiers."""
