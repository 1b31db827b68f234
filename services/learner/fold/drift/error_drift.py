"""Drift of a model's error: ADWIN and Page-Hinkley side by side."""

from prequel.services.learner.fold.drift.adwin import Adwin, Numbers
from prequel.services.learner.fold.drift.page_hinkley import PageHinkley


class ErrorDrift:
    """Both detectors on the errors (0 or 1) of one model: where either finds a rise, that is a drift; both start again.

    A fall is a model that learns: it is no drift, and only the detector that found it starts again, as River's does.

    >>> drift = ErrorDrift()
    >>> [(at, name) for at in range(400) if (name := drift.update(wrong=at >= 200))]
    [(223, 'adwin')]
    """

    def __init__(self) -> None:
        self._adwin, self._page_hinkley = Adwin(), PageHinkley()

    def update(self, wrong: bool) -> str | None:
        """Take in one prediction's error; return the name of the detector that found a rise, None where none did."""
        adwin_rose = False
        if self._adwin.update(float(wrong)):
            adwin_rose, self._adwin = self._adwin.rose, Adwin()
        page_hinkley_rose = self._page_hinkley.update(float(wrong)) and self._page_hinkley.rose
        if not adwin_rose and not page_hinkley_rose:
            return None
        self._adwin, self._page_hinkley = Adwin(), PageHinkley()
        return "adwin" if adwin_rose else "page-hinkley"

    def numbers(self) -> Numbers:
        """The state, as a snapshot stores it; ``from_numbers`` is its inverse."""
        return {"adwin": self._adwin.numbers(), "page_hinkley": self._page_hinkley.numbers()}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "ErrorDrift":
        """The inverse of ``numbers``."""
        self = cls()
        self._adwin = Adwin.from_numbers(numbers["adwin"])
        self._page_hinkley = PageHinkley.from_numbers(numbers["page_hinkley"])
        return self
