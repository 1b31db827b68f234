"""Histories of streams with commands of every kind, and what became of each: folded record by record as it is drawn."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from prequel.services.learner.fold.outputs import Output
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Applied, Command, ExampleEvent
from tests.learner.building import ExampleLog, new_fold

LIMITS: dict[str, Any] = {"window": 7, "duplicates": 1_000, "accuracy_window": 5, "max_labels": 5, "max_waiting": 3}
MODELS = "nearest,logistic"
_streams = st.sampled_from(["s"] * 7 + ["t"])
_ids = st.sampled_from([f"i{n}" for n in range(8)])
_names = st.sampled_from(["a", "b", "c", "z"])
_vectors = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=3, max_size=3)
_specs = st.sampled_from(["nearest", "logistic", "ncm", "softmax", "nearest;calibrate=off", "none-such"])
_settings = st.one_of(
    st.fixed_dictionaries({"window": st.sampled_from([3, 12, None])}),
    st.fixed_dictionaries({"accuracy_window": st.sampled_from([3, 9])}),
    st.fixed_dictionaries({"unknown_probability": st.sampled_from([0.0, 0.6, None])}),
    st.fixed_dictionaries({"unknown_distance": st.sampled_from([0.0, 4.0])}),
    st.fixed_dictionaries({"set_level": st.sampled_from([0.8, None])}),
    st.fixed_dictionaries({"goal": st.sampled_from([0.9, 2.0]), "title": st.sampled_from(["Pets", "x" * 999])}),
)
_defaults = st.one_of(
    st.fixed_dictionaries({"models": st.sampled_from([MODELS, "logistic,nearest", "nearest,logistic,ncm", "ncm"])}),
    st.fixed_dictionaries({"window": st.sampled_from([4, 9]), "max_labels": st.sampled_from([3, 6])}),
)


def _command(do: str, **arguments: Any) -> Any:
    return st.tuples(st.just("command"), _streams, st.just(do), st.fixed_dictionaries(arguments))


_classes = st.one_of(
    _command("class.rename", **{"from": _names, "to": _names}),
    _command("class.merge", **{"from": _names, "to": _names}),
    _command("class.delete", label=_names),
)
_models = st.one_of(
    _command("models.add", model=_specs),
    _command("models.add", model=_specs, **{"from": st.sampled_from(["log", "now", "then"])}),
    _command("models.remove", model=_specs),
    _command("models.promote", model=_specs),
)
_undo = st.tuples(st.just("undo"), _streams, st.integers(0, 5))
_forget = _command("example.forget", ids=st.lists(_ids, max_size=2))
_rebuild = _command("models.rebuild")
_set = st.tuples(st.just("command"), _streams, st.just("stream.set"), _settings)
_images = st.tuples(st.just("features"), _streams, _ids, _vectors, st.none() | _names)
_labels = st.tuples(st.just("label"), _streams, _ids, st.none() | _names)
_catch_ups = st.tuples(st.just("catch-up"), _streams, st.sampled_from([0, 0, 0, 1]))
_ends = st.tuples(st.just("end"), _streams, st.sampled_from(["create", "create", "delete", "delete-late"]))
_changes = st.tuples(st.just("defaults"), st.just(""), _defaults)
_KINDS = {
    "image": _images,
    "label": _labels,
    "classes": _classes,
    "models": _models,
    "undo": _undo,
    "forget": _forget,
    "rebuild": _rebuild,
    "set": _set,
    "catch-up": _catch_ups,
    "defaults": _changes,
    "end": _ends,
}
_HOW_OFTEN = {"image": 12, "label": 8, "classes": 6, "models": 3, "undo": 4, "forget": 2, "rebuild": 1, "set": 2}
_HOW_OFTEN |= {"catch-up": 5, "defaults": 1, "end": 1}
"""``one_of`` takes each strategy equally often, however often it is named."""
_steps = st.sampled_from([kind for kind, count in _HOW_OFTEN.items() for _ in range(count)]).flatmap(_KINDS.__getitem__)
_beginnings = st.lists(st.tuples(st.just("features"), st.just("s"), _ids, _vectors, _names), min_size=2, max_size=6)
histories = st.tuples(_beginnings, st.lists(_steps, min_size=10, max_size=40)).map(lambda parts: parts[0] + parts[1])


class Entry(NamedTuple):
    """One record: its event, whether it was a command that was applied, and the classes that the stream had before."""

    event: ExampleEvent
    applied: bool
    named: frozenset[str]
    """What a name could not be given to without a merge: the classes that were shown, and the labels that waited."""


class Life:
    """A log that grows, the fold that folds it, and what became of every record."""

    def __init__(self, **settings: Any) -> None:
        self.log = ExampleLog()
        self.settings = {"models": MODELS, **LIMITS, **settings}
        self.fold = new_fold(self.log, **self.settings)
        self.entries: list[Entry] = []
        self.outputs: list[Output] = []

    def live(self, history: Sequence[tuple[Any, ...]]) -> "Life":
        for step in history:
            self.do(*step)
        return self

    def do(self, kind: str, stream: str, *rest: Any) -> str:
        """Append what a step says and fold it; what became of it where it is a command: status and reason."""
        number, log = len(self.log.records), self.log
        if kind == "features":
            log.features(rest[0], rest[1], rest[2], stream=stream)
        elif kind == "label":
            log.label(rest[0], rest[1], stream=stream)
        elif kind == "defaults":
            log.defaults(**rest[0])
        elif kind == "command":
            log.command(f"c{number}", rest[0], stream=stream, **(rest[1] if len(rest) > 1 else {}))
        elif kind == "undo":
            log.command(f"c{number}", "undo", stream=stream, command=self._earlier(stream, rest[0]))
        elif kind == "catch-up":
            log.command(f"c{number}", "stream.catch-up", stream=stream, **self._catch_up(stream, rest[0]))
        elif rest[0] == "create":
            log.command(f"c{number}", "stream.create", stream=stream)
        else:
            log.delete(f"c{number}", stream=stream, late=2 * (rest[0] == "delete-late"))
        return self._fold(stream)

    def command(self, do: str, *, stream: str = "s", **arguments: Any) -> str:
        return self.do("command", stream, do, {name.rstrip("_"): value for name, value in arguments.items()})

    def catch_up(self, stream: str = "s") -> str:
        return self.do("catch-up", stream, 0)

    def deleted_before(self, stream: str) -> int:
        """Images of a stream before this offset were of one that was deleted."""
        events = [entry.event for entry in self.entries if entry.applied]
        deleted = [e for e in events if isinstance(e, Command) and e.do == "stream.delete" and e.stream == stream]
        return max((event.arguments["images"]["0"] for event in deleted), default=0)

    def _fold(self, stream: str) -> str:
        record, named = self.log.records[-1], self._named(stream)
        outputs = self.fold.apply([record]).outputs
        self.outputs += outputs
        answer = next((output.event for output in outputs if isinstance(output.event, Applied)), None)
        self.entries.append(Entry(decode_example(record), bool(answer and answer.status == "applied"), named))
        return f"{answer.status} {answer.why}".strip() if answer else ""

    def _named(self, stream: str) -> frozenset[str]:
        state = self.fold.streams.get(stream)
        if state is None:
            return frozenset()
        waiting = [row[1] for row in state.waiting.rows()]
        return frozenset(state.names.names([*state.labels, *waiting]))

    def _earlier(self, stream: str, back: int) -> str:
        """The id of an earlier command, counted from the newest."""
        events = [entry.event for entry in self.entries]
        ids = [event.id for event in events if isinstance(event, Command) and event.stream == stream]
        return ids[-1 - back] if back < len(ids) else "none"

    def _catch_up(self, stream: str, missing: int) -> dict[str, int]:
        state = self.fold.streams.get(stream)
        given = state.decisions.given - missing if state else 0
        return {"given": max(0, given), "settings": len(self.fold.history), "begin": self.log.begin}
