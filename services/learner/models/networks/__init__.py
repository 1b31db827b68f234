"""Networks trained one step at a time, their state plain arrays; the adversary is the only contact with Keras."""
