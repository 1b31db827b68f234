"""Feature files: vectors with their ids, labels and splits, as Parquet, NumPy arrays or CSV."""
