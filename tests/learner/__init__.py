"""Tests of the learner: the fold, its reference, snapshots, crashes."""
