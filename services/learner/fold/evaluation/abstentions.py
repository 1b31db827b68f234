"""Abstentions, counted apart from the accuracy: how often, how rightly, and how right the answers given were."""

from prequel.services.learner.fold.predictions import ModelPrediction


class AbstentionCounts:
    """Counts over labelled examples; a correction takes the old label out and puts the new one in.

    ``abstained`` counts all abstentions; ``novel`` those on classes that the champion could not know, where abstaining
    is right; ``answered`` all other examples; ``right`` the answers among these that were right.

    >>> counts = AbstentionCounts()
    >>> counts.count(ModelPrediction([0], [0.6], known=1), 3, unknown=True)
    >>> counts.count(ModelPrediction([0], [0.9], known=1), 0, unknown=False)
    >>> counts.numbers()
    [1, 1, 1, 1]
    """

    def __init__(self) -> None:
        self.abstained = self.novel = self.answered = self.right = 0

    def count(self, prediction: ModelPrediction, label: int, *, unknown: bool, sign: int = 1) -> None:
        """Count the champion's prediction of an example of class ``label``; with -1, take it out again.

        ``unknown`` is whether the champion abstained.
        """
        if unknown:
            self.abstained += sign
            self.novel += sign * (not prediction.knows(label))
        else:
            self.answered += sign
            self.right += sign * (prediction.top_class == label)

    def numbers(self) -> list[int]:
        """The counts as a snapshot stores them."""
        return [self.abstained, self.novel, self.answered, self.right]

    def load(self, numbers: list[int]) -> None:
        """The inverse of ``numbers``."""
        self.abstained, self.novel, self.answered, self.right = numbers
