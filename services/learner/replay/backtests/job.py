"""What the process that runs a back-test is given, as JSON holds it."""

from typing import Any, NamedTuple

from prequel.services.learner.replay.plan import ReplayPlan, plan_from

KIND = "backtest"


class BacktestJob(NamedTuple):
    """``plan`` is the stream's, with the models that are tried, the champion first; ``begin`` and ``end`` are offsets.

    ``backbone`` and ``classes`` are those of the live stream, for a range that begins later than it. ``other`` is the
    id of the backbone that all models but the champion are tried on; empty: the stream's own.
    """

    plan: ReplayPlan
    begin: int
    end: int
    classes: tuple[str, ...]
    backbone: tuple[str, int]
    other: str = ""

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it; ``job_from`` is the inverse."""
        return self._asdict() | {"plan": self.plan.as_json()}


def job_from(json: dict[str, Any]) -> BacktestJob:
    """The inverse of ``BacktestJob.as_json``."""
    backbone, dim = json["backbone"]
    other = json.get("other", "")  # Missing in jobs that an earlier version has stored.
    return BacktestJob(
        plan_from(json["plan"]), json["begin"], json["end"], tuple(json["classes"]), (backbone, dim), other
    )
