"""The join of features and labels: recent examples that a label can still reach, and labels that wait for theirs."""
