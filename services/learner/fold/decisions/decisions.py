"""The decisions about one stream in their order, and what follows from them: names, settings, models."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from prequel.services.learner.fold.decisions.class_names import ClassNames, Merging, Renaming
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Command, Features
from prequel.shared.log.base import Position

MAX_DECISIONS = 10_000
"""Decisions that a stream keeps. They are made by hand, or by a script that renames every class; with ten times as many
the state of a stream of a few examples could be several MB, with a tenth a thousand classes could not be renamed."""
MAX_FORGOTTEN = 100_000
"""Ids that a stream's decisions can forget, all together: a digest of each is kept (32 characters), since replays must
leave it out. A whole stream is forgotten by deleting it."""

MAX_TEXT, MAX_LISTED = 1_000, 10
"""Characters and elements kept of an argument: for people, who see what was wrong with a command that was refused."""
ARGUMENTS = frozenset(
    (
        *("from", "to", "label", "ids", "digests", "images", "model", "command", "backbone"),
        *("window", "accuracy_window", "unknown_probability", "unknown_distance", "set_level", "goal", "title"),
    )
)
"""What a command may say. All else is left out of the history: anybody may write to the log, and the state is small."""
_OF_FORGETTING = ("digests", "images")
"""Those of them that say what was forgotten: needed whole, and checked before."""

RENAME, MERGE, DELETE, FORGET = "class.rename", "class.merge", "class.delete", "example.forget"
ADD, REMOVE, PROMOTE, REBUILD = "models.add", "models.remove", "models.promote", "models.rebuild"
CREATE, SET, SWITCH, CATCH_UP = "stream.create", "stream.set", "stream.switch", "stream.catch-up"
UNDO = "undo"
_ABOUT_MODELS = (ADD, REMOVE, PROMOTE)
FROM_LOG, FROM_NOW = "log", "now"


class Decision(NamedTuple):
    """A command for the stream, in its history. ``why`` says why it was refused; empty where it was applied.

    ``changes`` is what it does to the names of classes, ``undone_by`` the id of the command that took it back.
    """

    position: Position
    id: str
    do: str
    arguments: Mapping[str, Any]
    by: str
    time: float
    why: str = ""
    change: Renaming | Merging | None = None
    label: str = ""
    """The label that the fold knows a deleted class by."""
    models: tuple[str, ...] = ()
    """Of a decision about models, those of the settings then."""
    number: int = 0
    """Its number among those that were applied, from 1 on."""
    replays: bool = False
    """Whether the past has to be rewritten for it."""
    undone_by: str = ""

    @property
    def stands(self) -> bool:
        """Whether it was applied, and not taken back since."""
        return not self.why and not self.undone_by

    @property
    def rebuilds_from_log(self) -> bool:
        """Whether whoever gave it has agreed to lose what the log does not have any more.

        Not with a command about two classes: there, ``from`` is the name of one, which may be called log.
        """
        return self.do not in (ADD, RENAME, MERGE) and self.arguments.get("from") == FROM_LOG


class Decisions(Sequence[Decision]):
    """Oldest first. Immutable: a change makes another one, so that a replay may keep those that it began with.

    ``given`` counts the commands that were applied, ever: two of one stream with equal ``given`` say the same.
    ``caught_up`` is the number of the decision up to which a replay has made the past as they say.
    """

    def __init__(self, decisions: Iterable[Decision] = (), *, given: int = 0, caught_up: int = 0) -> None:
        self._decisions = tuple(decisions)
        self.given, self.caught_up = given, caught_up

    def __len__(self) -> int:
        return len(self._decisions)

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._decisions)

    def __getitem__(self, at: Any) -> Any:
        return self._decisions[at]

    @property
    def pending(self) -> bool:
        """Whether a replay has to make the past as they say."""
        return bool(self.waiting)

    @cached_property
    def waiting(self) -> tuple[Decision, ...]:
        """Those that a replay has yet to rewrite the past for."""
        return tuple(d for d in self._decisions if _replays(d) and d.number > self.caught_up)

    @cached_property
    def joining(self) -> tuple[Decision, ...]:
        """Those of them that add a model."""
        return tuple(decision for decision in self.waiting if decision.do == ADD)

    @property
    def newest_offset(self) -> int:
        """Where the newest stands that was applied: two of one stream with equal ``given`` say the same."""
        return max((decision.position.offset for decision in self._decisions if decision.number), default=0)

    def find(self, id: str) -> Decision | None:
        """The newest decision with this id."""
        return next((decision for decision in reversed(self._decisions) if decision.id == id), None)

    # What changes them.

    def refuse(self, command: Command, why: str) -> "Decisions":
        """With a command that was refused, which has no effect but to be in the history."""
        refused = Decision(*_common(command), why=why)
        brief = {name: _brief(value) for name, value in refused.arguments.items()}
        return self._followed_by(refused._replace(arguments=brief), self.given)

    def apply(self, decision: Decision) -> "Decisions":
        """With one more that was applied."""
        return self._followed_by(decision._replace(number=self.given + 1), self.given + 1)

    def undo(self, target: Decision, undo: Decision) -> "Decisions":
        """With ``target`` taken back by ``undo``."""
        undone = [d._replace(undone_by=undo.id) if d is target else d for d in self._decisions]
        return self._replaced(undone).apply(undo)

    def catch_up(self) -> "Decisions":
        """The same, with the past made as they say."""
        return self._replaced(self._decisions, caught_up=self.given)

    def fail(self, why: str) -> "Decisions":
        """With those refused after all for which the past cannot be rewritten; what they took back stands again.

        Models that join are not among them: those need no more than what the log has.
        """
        failed = {decision.id for decision in self.waiting if decision.do != ADD}
        kept = [d._replace(undone_by="") if d.undone_by in failed else d for d in self._decisions]
        refused = [d._replace(why=why) if d.id in failed and d.number > self.caught_up else d for d in kept]
        return self._replaced(refused, given=self.given + 1)

    def _followed_by(self, decision: Decision, given: int) -> "Decisions":
        """With one more. What follows from these is handed on: with ten thousand, none of them is looked at again."""
        after = self._replaced([*self._decisions, decision], given=given)
        if len(after) > len(self):  # Else one was dropped.
            known = self.__dict__.keys() & HANDED_ON.keys()
            after.__dict__.update({name: HANDED_ON[name](self.__dict__[name], decision) for name in known})
        return after

    def _replaced(
        self, decisions: Sequence[Decision], *, given: int | None = None, caught_up: int | None = None
    ) -> "Decisions":
        return Decisions(
            _newest(decisions),
            given=self.given if given is None else given,
            caught_up=self.caught_up if caught_up is None else caught_up,
        )

    @property
    def full(self) -> bool:
        """Whether no more can be applied: none of those that are kept can be dropped."""
        return len(self) >= MAX_DECISIONS and _idle(self) is None

    # What follows from them.

    @cached_property
    def standing(self) -> tuple[Decision, ...]:
        """Those that were applied and not taken back, oldest first."""
        return tuple(decision for decision in self._decisions if decision.stands)

    @cached_property
    def names(self) -> ClassNames:
        """What the classes are called now; not to be changed."""
        return self.new_names()

    def new_names(self) -> ClassNames:
        """The same for one's own, to which later changes can be applied."""
        return ClassNames(decision.change for decision in self.standing if decision.change)

    @cached_property
    def set_values(self) -> dict[str, Any]:
        """The values that the stream's own settings were given last, None where that of all streams holds again."""
        return _set_values(self.about_settings)

    @property
    def settings(self) -> dict[str, Any]:
        """The stream's own settings now."""
        return {name: value for name, value in self.set_values.items() if value is not None}

    def settings_at(self, offset: int) -> dict[str, Any]:
        """The stream's own settings after the decision at ``offset``."""
        return self.settings_until(offset).settings

    def settings_until(self, offset: int) -> "Decisions":
        """Those about the stream's own settings alone, up to ``offset``: what a replay of single models follows."""
        return Decisions(d for d in self.about_settings if d.position.offset <= offset)

    @cached_property
    def about_settings(self) -> tuple[Decision, ...]:
        """Those about the stream's own settings."""
        return tuple(decision for decision in self.standing if decision.do == SET)

    @cached_property
    def about_models(self) -> tuple[Decision, ...]:
        """Those about models. Where there is one, the stream's models are its own, no longer those of the settings."""
        return tuple(decision for decision in self.standing if decision.do in _ABOUT_MODELS)

    def models_at(self, offset: int | None, defaults: tuple[str, ...]) -> tuple[str, ...]:
        """The stream's models after the decision at ``offset`` (None: now), the champion first.

        ``defaults`` are those of the settings there. A model that a decision adds from the log has been there from the
        beginning, whenever that decision was made.
        """
        decided = [d for d in self.about_models if offset is None or d.position.offset <= offset]
        specs = list(decided[0].models if decided else defaults)
        added = [d.arguments["model"] for d in self.about_models if _from_log(d)]
        specs += [spec for spec in dict.fromkeys(added) if spec not in specs]
        for decision in decided:
            self._change_models(specs, decision)
        return tuple(specs)

    def _change_models(self, specs: list[str], decision: Decision) -> None:
        spec = decision.arguments["model"]
        if decision.do == ADD and spec not in specs:
            specs.append(spec)
        elif decision.do == PROMOTE and spec in specs:
            specs.remove(spec)
            specs.insert(0, spec)
        elif decision.do == REMOVE and spec in specs and len(specs) > 1 and not self._comes_back(decision):
            specs.remove(spec)  # The last one stays: what had been promoted instead may have been taken back.

    def _comes_back(self, removal: Decision) -> bool:
        """Whether the model that was removed is added from the log later: it was there all the time then."""
        again = self.about_models[self.about_models.index(removal) :]
        return any(_from_log(d) and d.arguments["model"] == removal.arguments["model"] for d in again)

    @property
    def backbone(self) -> str:
        """The backbone that the stream was switched to last; empty: that of its first image."""
        switched = [decision.arguments["backbone"] for decision in self.standing if decision.do == SWITCH]
        return switched[-1] if switched else ""

    @property
    def backbone_before_switches(self) -> str:
        """The backbone that the stream had before anybody switched it; empty where nobody did."""
        switches = (decision for decision in self._decisions if decision.do == SWITCH and not decision.why)
        return next((str(decision.arguments.get("from", "")) for decision in switches), "")

    @cached_property
    def ever_switched(self) -> bool:
        """Whether images may have features of one backbone only, of which there are several."""
        return any(decision.do == SWITCH and not decision.why for decision in self._decisions)

    @cached_property
    def forgettings(self) -> tuple[Decision, ...]:
        """Those that forgot single images; their argument ``digests`` says which (see ``id_digest``)."""
        return tuple(decision for decision in self.standing if decision.do == FORGET)

    @cached_property
    def forgotten(self) -> Mapping[str, Decision]:
        """The newest of those by the digest of each id that is forgotten."""
        return {digest: decision for decision in self.forgettings for digest in decision.arguments["digests"]}

    def forgetting(self, event: Features) -> Decision | None:
        """The one that forgot the image of features that come late; None where there is none.

        An image that was sent after the command is another one, with the same id.
        """
        if event.image is None:  # What was forgotten of its kind stands before the command: this came after it.
            return None
        decision = self.forgotten.get(id_digest(event.id)) if self.forgotten else None
        ends = decision.arguments.get("images", {}) if decision else {}
        return decision if event.image.offset < ends.get(str(event.image.partition), 0) else None


def _set_values(decisions: Iterable[Decision]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for decision in decisions:
        values |= decision.arguments
    return values


def _replays(decision: Decision) -> bool:
    return decision.replays and not decision.why


def _those(belongs: Callable[[Decision], bool]) -> Callable[[tuple[Decision, ...], Decision], tuple[Decision, ...]]:
    return lambda held, decision: (*held, decision) if belongs(decision) else held


HANDED_ON: Mapping[str, Callable[[Any, Decision], Any]] = {
    "waiting": _those(_replays),
    "joining": _those(lambda decision: _replays(decision) and decision.do == ADD),
    "standing": _those(lambda decision: decision.stands),
    "about_settings": _those(lambda decision: decision.stands and decision.do == SET),
    "about_models": _those(lambda decision: decision.stands and decision.do in _ABOUT_MODELS),
    "forgettings": _those(lambda decision: decision.stands and decision.do == FORGET),
    "set_values": lambda held, decision: held | decision.arguments if decision.stands and decision.do == SET else held,
}
"""Properties of Decisions, and what each is with one more decision."""


def _newest(decisions: Sequence[Decision]) -> Sequence[Decision]:
    """Without the oldest that has no effect any more, where there are too many: see ``Decisions.full``."""
    if len(decisions) <= MAX_DECISIONS:
        return decisions
    idle = _idle(decisions) or 0
    return [*decisions[:idle], *decisions[idle + 1 :]]


def _idle(decisions: Sequence[Decision]) -> int | None:
    """The oldest on which neither a replay nor a name depends; None where there is none."""
    rebuilds = [at for at, decision in enumerate(decisions) if decision.stands and decision.do == REBUILD]
    idle = (at for at, decision in enumerate(decisions) if not _matters(decision) and at not in rebuilds[-1:])
    return next(idle, None)


def _matters(decision: Decision) -> bool:
    return (decision.stands and decision.do not in (UNDO, REBUILD)) or decision.do == SWITCH


def created_for(decisions: Decisions) -> str:
    """The backbone that the stream was created for; empty where its first image decides."""
    created = [decision for decision in decisions if decision.do == CREATE]
    return str(created[0].arguments.get("backbone") or "") if created else ""


def _from_log(decision: Decision) -> bool:
    return decision.do == ADD and decision.arguments.get("from", FROM_LOG) == FROM_LOG


def decision_of(command: Command, **more: Any) -> Decision:
    """The command as an applied decision."""
    return Decision(*_common(command), **more)


def _common(command: Command) -> tuple[Position, str, str, Mapping[str, Any], str, float]:
    given = {name: value for name, value in command.arguments.items() if name in ARGUMENTS}
    whole = _OF_FORGETTING if command.do == FORGET else ()
    arguments = {name: value if name in whole else _brief(value) for name, value in given.items()}
    return command.position, command.id, command.do, arguments, command.by, command.time


def _brief(value: Any) -> Any:
    if isinstance(value, dict):
        return None
    if isinstance(value, list):
        return [str(element)[:MAX_TEXT] for element in value[:MAX_LISTED]]
    return value[:MAX_TEXT] if isinstance(value, str) else value


def decision_rows(decisions: Decisions) -> dict[str, Any]:
    """As a snapshot stores them; ``decisions_from`` is the inverse."""
    return {"given": decisions.given, "caught_up": decisions.caught_up, "decisions": [_row(d) for d in decisions]}


def decisions_from(rows: Mapping[str, Any]) -> Decisions:
    """The inverse of ``decision_rows``."""
    decisions = [_from_row(dict(row)) for row in rows["decisions"]]
    return Decisions(decisions, given=rows["given"], caught_up=rows["caught_up"])


def _row(decision: Decision) -> dict[str, Any]:
    """By name, without what is empty: most of it is, of most."""
    change = [type(decision.change).__name__, *decision.change] if decision.change else None
    row = decision._asdict() | {"position": list(decision.position), "change": change}
    return {name: value for name, value in row.items() if value or name in ("position", "arguments")}


def _from_row(row: dict[str, Any]) -> Decision:
    if change := row.get("change"):
        row["change"] = (Renaming if change[0] == "Renaming" else Merging)(*change[1:])
    row |= {"position": Position(*row["position"]), "models": tuple(row.get("models", ()))}
    fields: dict[str, Any] = {"by": "", "time": 0.0} | row
    return Decision(**fields)
