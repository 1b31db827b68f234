"""What an evaluation is made of (protocol): examples whose labels are known at once, and vectors in any order."""

from collections.abc import Generator, Sequence
from typing import NamedTuple, Protocol

from prequel.shared.features.base import FeatureRows, RowInfo


class Origin(NamedTuple):
    """Where examples come from: ``source`` as the user named it, ``folder`` the absolute folder of their names, empty
    where there is none, ``backbone`` the id of the one that makes their features, ``order`` as FeatureMeta has it."""

    source: str
    folder: str
    backbone: str
    order: str


class Examples(Protocol):
    """Examples with numbers from 0 on. For one thread at a time."""

    @property
    def origin(self) -> Origin: ...

    @property
    def repeatable(self) -> bool:
        """Whether the same vectors can be read a second time at little cost: those of a file."""
        ...

    def infos(self) -> Sequence[RowInfo]:
        """What is known of each, by number. Of images that were not read yet, the ids are empty."""
        ...

    def rows(self, order: Sequence[int]) -> Generator[FeatureRows, None, None]:
        """Those with these numbers, in that order, a batch at a time: what cannot be read is left out.

        No id comes twice, also of all calls together, but for the same numbers asked again. Blocks on disk and
        backbone. Raises FeatureFileError.
        """
        ...

    def times(self) -> Sequence[float]:
        """When each was taken, in seconds since the epoch. Blocks on the disk. Raises EvaluationError where that is
        not known."""
        ...

    def notes(self) -> list[str]:
        """Sentences on what was left out, and why: whole once all rows are read."""
        ...
