"""A model without its learning: the steps from features to probabilities, and the file in which they leave."""
