"""Jobs: long work beside the learner, each in a process of its own, one after the other."""
