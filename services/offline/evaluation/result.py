"""The result of an evaluation: every number that a report shows, and nothing that depends on the clock."""

from pydantic import BaseModel, Field

from prequel.services.producer.tables import score
from prequel.shared.backtests import BacktestResult
from prequel.shared.status import Confusion, Interval, ReliabilityPoint, VerdictStatus


class Mistake(BaseModel):
    """An example that a model got wrong: ``probability`` is what it gave to ``predicted``, ``truth_probability`` to the
    truth. ``row`` is its number in the order of the evaluation, ``name`` its path in the source."""

    model: str
    row: int
    id: str
    name: str
    truth: str
    predicted: str
    probability: float
    truth_probability: float


class HeldOutModel(BaseModel):
    """One model on the examples that were held out; ``interval`` is Wilson's, 95 %, of a fixed number of examples."""

    accuracy: float | None
    interval: Interval | None
    kappa: float | None
    log_loss: float | None
    calibration_error: float | None
    confusion: Confusion
    reliability: list[ReliabilityPoint]
    report: str
    """The classification report, as scikit-learn prints it."""


class HeldOut(BaseModel):
    """Examples that were predicted with what had been learned at the end, and never learned."""

    split: str
    """The split's name, or the share as the user gave it."""
    images: int
    scored: int
    """Those with a label."""
    models: dict[str, HeldOutModel]
    verdicts: dict[str, VerdictStatus]
    """Each model against the first one."""


class ModelCost(BaseModel):
    """What a model took: seconds of predicting and learning, and bytes of its state at the end."""

    seconds: float
    state_bytes: int


class Resources(BaseModel):
    """What an evaluation took; kept apart from its result, which must not depend on the machine."""

    seconds: float
    read_seconds: float
    peak_memory_bytes: int
    models: dict[str, ModelCost]


class Evaluation(BaseModel):
    """What an evaluation has found. The same input, options and seed give the same bytes as JSON.

    ``prequential`` is the fold's own result, as of a back-test; ``reports`` the classification reports of its
    predictions, by model, as scikit-learn prints them. ``mistakes`` are the worst of each model, prequential;
    ``held_out_mistakes`` those among the examples held out. ``notes`` are sentences on what was left out, and why.
    ``resources`` is what it took, where that is known; it is no part of the JSON. ``print`` shows tables.

    >>> found = prequel.evaluate(([[0.0], [1.0]] * 10, ["a", "b"] * 10), models="ncm", progress=False)
    >>> round(found.prequential.models["ncm"].accuracy, 4)
    0.9474
    >>> found.notes
    ['order: as they lie in the source, where classes come mixed']
    """

    source: str
    folder: str = ""
    backbone: str
    dim: int
    order: str
    seed: int
    label_delay: int
    mini_batch: int
    models: list[str]
    prequential: BacktestResult
    reports: dict[str, str]
    held_out: HeldOut | None
    mistakes: list[Mistake]
    held_out_mistakes: list[Mistake]
    notes: list[str] = []
    resources: Resources | None = Field(default=None, exclude=True)

    def __str__(self) -> str:
        """What `prequel evaluate` prints, but for what it took: the same text each time."""
        from prequel.services.offline.evaluation.lines import evaluation_lines

        return "\n".join(evaluation_lines(self))

    def __repr__(self) -> str:
        """In one line: the whole of it would fill a notebook."""
        found = self.prequential.models.items()
        models = ", ".join(f"{name} {score(model.accuracy)}" for name, model in found)
        return f"<Evaluation of {self.source}: {models}>"
