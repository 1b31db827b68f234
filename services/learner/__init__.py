"""The learner: predict, be scored, learn: a pure fold over the log."""
