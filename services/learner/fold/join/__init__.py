"""The join of features and labels: the examples that a label can still reach, and the labels that wait."""
