"""What a replay of one stream has to know of it: taken from the live fold, and sent to another process as JSON."""

from typing import TYPE_CHECKING, Any, NamedTuple

from prequel.services.learner.fold.config_history import ConfigHistory
from prequel.services.learner.fold.decisions.decisions import Decisions, decision_rows, decisions_from
from prequel.services.learner.fold.stream import StreamState

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold


class ReplayPlan(NamedTuple):
    """One stream of one partition, and the decisions that its past is rewritten by.

    ``models`` are the only ones to replay; None: all that the decisions say. For models that join a stream whose
    beginning retention has removed, ``classes`` are those of the live stream, which alone may be learned.
    """

    stream: str
    partition: int
    partitions: int
    begun: int
    adopted: frozenset[int]
    seed: int
    deleted: dict[int, int]
    """Images before these offsets, by partition, are of a deleted stream of the same name."""
    decisions: Decisions
    history: ConfigHistory
    models: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    backbone: tuple[str, int] = ("", 0)

    def admits_classes_of(self, state: StreamState) -> bool:
        """Whether the stream has no class that has come since: a replay of single models would not learn it."""
        return self.classes is None or self.classes == tuple(state.labels)

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it; ``plan_from`` is the inverse."""
        return self._asdict() | {
            "adopted": sorted(self.adopted),
            "deleted": sorted(self.deleted.items()),
            "decisions": decision_rows(self.decisions),
            "history": self.history.rows(),
        }


def plan_from(json: dict[str, Any]) -> ReplayPlan:
    """The inverse of ``ReplayPlan.as_json``."""
    return ReplayPlan(**json)._replace(
        adopted=frozenset(json["adopted"]),
        deleted=dict(json["deleted"]),
        decisions=decisions_from(json["decisions"]),
        history=ConfigHistory.from_rows(json["history"]),
        models=None if json["models"] is None else tuple(json["models"]),
        classes=None if json["classes"] is None else tuple(json["classes"]),
        backbone=tuple(json["backbone"]),
    )


def plan_of(fold: "Fold", state: StreamState, partition: int) -> ReplayPlan:
    """The plan for a stream as it is now."""
    deletion = fold.commands.deletions.get(state.name)
    return ReplayPlan(
        stream=state.name,
        partition=partition,
        partitions=fold.partitions,
        begun=state.begun,
        adopted=frozenset(state.adopted),
        seed=state.seed,
        deleted=dict(deletion.images) if deletion else {},
        decisions=state.decisions,
        history=ConfigHistory.from_rows(fold.history.rows()),
    )


def joining_plan(plan: ReplayPlan, state: StreamState, models: tuple[str, ...]) -> ReplayPlan:
    """The plan for these models alone, which join a stream whose beginning the log does not have any more."""
    return plan._replace(models=models, classes=tuple(state.labels), backbone=(state.backbone, state.dim))
