"""The learner's only contact with Keras: networks trained one step at a time, their state as plain arrays."""
