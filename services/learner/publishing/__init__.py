"""Publishing: what the learner shows of its state, in the store and to Prometheus."""
