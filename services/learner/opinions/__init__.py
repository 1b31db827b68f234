"""What the models say now of the examples in the window: the queue of what to label next, and what is near."""
