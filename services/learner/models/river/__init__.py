"""River's classifiers as models of Prequel."""
