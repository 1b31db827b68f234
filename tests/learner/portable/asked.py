"""A stream that was folded, and one of its models as a file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from prequel.services.learner.portable.archive import PortableModel, load
from prequel.shared.queries import Answer
from tests.learner.building import ExampleLog, new_fold
from tests.learner.models.suite import stream
from tests.learner.test_queue import queries_of

DIM, CLASSES, LEARNED, EXAMPLES = 24, 12, 260, 290
"""More classes than a prediction names, and enough labels for a calibration that does something."""


class Asked:
    """``xs`` of which the last 30 have no label; models by the settings' name for them."""

    def __init__(self, models: str, *, commands: Sequence[dict[str, Any]] = (), **settings: Any) -> None:
        self.xs, labels = stream(EXAMPLES, DIM, CLASSES, seed=1)
        log = ExampleLog()
        for number, x in enumerate(self.xs):
            log.features(f"i{number}", x.tolist(), labels[number] if number < LEARNED else None)
        for number, command in enumerate(commands):
            log.command(f"c{number}", **command)
        self.fold = new_fold(log, models=models, **settings)
        self.fold.apply(log.records)
        self.queries = queries_of(self.fold)

    def file(self, spec: str = "") -> PortableModel:
        """As it is after it was written and read."""
        return load(self.queries.model_file("s", spec))

    def answers(self) -> list[Answer]:
        """What the learner says of the examples without a label."""
        return [self.queries.answer("s", x) for x in self.xs[LEARNED:]]

    def unlearned(self) -> Any:
        return np.ascontiguousarray(self.xs[LEARNED:])
