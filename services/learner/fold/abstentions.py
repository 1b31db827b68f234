"""Abstentions, scored apart from the accuracy: how often, how rightly, and what the answers given were worth."""

from prequel.services.learner.fold.predictions import Guess


class Unknowns:
    """Counts over labelled examples; a correction takes the old label out and puts the new one in.

    ``novel``: abstentions on classes that the champion could not know, where abstaining is right. ``held`` counts all
    abstentions, ``answered`` the others, ``right`` those answers that were right.
    """

    def __init__(self) -> None:
        self.held = self.novel = self.answered = self.right = 0

    def count(self, unknown: bool, guess: Guess, label: int, sign: int = 1) -> None:
        if unknown:
            self.held += sign
            self.novel += sign * (not guess.knew(label))
        else:
            self.answered += sign
            self.right += sign * (guess.label == label)

    def numbers(self) -> list[int]:
        return [self.held, self.novel, self.answered, self.right]

    def load(self, numbers: list[int]) -> None:
        self.held, self.novel, self.answered, self.right = numbers
