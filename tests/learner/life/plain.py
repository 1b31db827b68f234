"""The reference: a stream's log rewritten by its commands, slowly and plainly, and folded where there are none."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.catch_up import change_models
from prequel.shared.events.commands import encode_command
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.events.features import encode_features
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Command, Defaults, ExampleEvent, Features, Image, Label
from prequel.shared.log.base import EXAMPLES, Message, Position
from tests.learner.building import BACKBONE, STARTED, ExampleLog, new_fold
from tests.learner.life.history import MODELS, Life

NOTHING = Message(EXAMPLES, b"", b"", ())
"""Stands where a record is left out, so that all others keep their offsets: the fold rejects it."""
FOLDED = ("window", "accuracy_window", "unknown_probability", "unknown_distance", "set_level")


class Change(NamedTuple):
    """At ``offset`` a class was renamed, merged into another, or deleted; ``other`` is the name, or the class."""

    offset: int
    kind: str
    one: str
    other: str = ""


class Naming:
    """What names stand for, once these changes have been made one after the other.

    A class is known here by the name that it came with first.
    """

    def __init__(self, changes: Iterable[Change]) -> None:
        self._stands_for: dict[str, str] = {}
        self.shown: dict[str, str] = {}
        for _, kind, one, other in changes:
            if kind == "rename":
                self._stands_for[other], self.shown[one] = one, other
            elif kind == "merge":
                for name in [one, *self._stands_for]:
                    if self.of(name) == one:
                        self._stands_for[name] = other

    def of(self, name: str) -> str:
        return self._stands_for.get(name, name)


class Plain:
    """One stream of a life, from where it began to the life's end: its log without commands.

    Before the last hand-over, what people had decided by then was so all the time. Since then, every decision is so
    from its own record on.
    """

    def __init__(self, life: Life, stream: str, state: StreamState) -> None:
        self._life, self._stream = life, stream
        self._begun, self._adopted = state.begun, state.adopted
        own = [e for e in life.entries[state.begun :] if e.applied and _stream(e.event) == stream]
        self._commands = [e.event for e in own if isinstance(e.event, Command)]
        handed_over = [c.position.offset for c in self._commands if c.do == "stream.catch-up"]
        self._last = max(handed_over, default=-1)
        self._changes: dict[int, Change] = {}
        for command in self._commands:
            self._note_change(command)
        self.settings_at, self._models = cache(self._settings_at), cache(self._models_of)
        rebuilds = self._standing(self._last, "models.rebuild")
        self._rebuilt = max((c.position.offset for c in rebuilds), default=-1)
        self._last_labels: dict[str, str | None] = {}
        if rebuilds:
            self._last_labels = self._changed_labels()

    def _standing(self, time: int, *kinds: str) -> list[Command]:
        """Commands that were given before ``time`` and not taken back before it."""
        given = [c for c in self._commands if c.position.offset < time]
        undone = {c.arguments["command"] for c in given if c.do == "undo"}
        return [c for c in given if c.id not in undone and (not kinds or c.do in kinds)]

    def _time(self, offset: int) -> int:
        """The offset before which commands were known to whatever is at ``offset``."""
        return self._last if offset < self._last else offset

    @property
    def joined_by_settings(self) -> bool:
        """Whether settings have brought models since the last hand-over: what compares them begins there."""
        specs = [set(self.settings_at(offset)["models"].split(",")) for offset in range(len(self._life.entries))]
        since = range(max(1, self._last, self._begun), len(specs))
        return any(specs[offset] - specs[offset - 1] for offset in since)

    # Classes.

    def _note_change(self, command: Command) -> None:
        offset, say = command.position.offset, command.arguments
        now = self._naming(offset)
        if command.do == "class.delete":
            self._changes[offset] = Change(offset, "delete", now.of(say["label"]))
        elif command.do == "class.merge" or (
            command.do == "class.rename" and say["to"] in self._life.entries[offset].named
        ):
            self._changes[offset] = Change(offset, "merge", now.of(say["from"]), now.of(say["to"]))
        elif command.do == "class.rename":
            self._changes[offset] = Change(offset, "rename", now.of(say["from"]), say["to"])

    def _changes_by(self, time: int) -> list[Change]:
        offsets = [c.position.offset for c in self._standing(time)]
        return [self._changes[offset] for offset in offsets if offset in self._changes]

    def _naming(self, time: int) -> Naming:
        return Naming(self._changes_by(time))

    def _called(self, name: str, offset: int) -> str | None:
        """What the class of a label that was given at ``offset`` is called at the end."""
        changes = self._changes_by(self._time(offset))
        known = Naming(change for change in changes if change.offset < offset).of(name)
        for change in changes:
            if change.offset > offset and change.one == known and change.kind != "rename":
                if change.kind == "delete":
                    return None
                known = change.other
        # Two classes that are called the same are one.
        now = self._naming(len(self._life.entries))
        one = now.of(now.shown.get(known, known))
        return now.shown.get(one, one)

    # Models and settings.

    def _settings_at(self, offset: int) -> dict[str, Any]:
        """Of all streams, from the record at ``offset`` on."""
        settings: dict[str, Any] = {"models": MODELS, **dict.fromkeys(FOLDED, 0.0), **self._life.settings}
        for entry in self._life.entries[: offset + 1]:
            if isinstance(entry.event, Defaults):
                settings |= entry.event.settings
        return settings

    def own_settings_at(self, offset: int) -> dict[str, Any]:
        """The stream's, from the record at ``offset`` on."""
        own: dict[str, Any] = {}
        for command in self._standing(self._time(offset + 1), "stream.set"):
            if command.position.offset <= offset:
                own |= command.arguments
        own = {name: value for name, value in own.items() if name in FOLDED and value is not None}
        return self.settings_at(offset) | own | {"models": ",".join(self.models_at(offset))}

    def models_at(self, offset: int) -> list[str]:
        """With all that join later from the log, which have been there from the beginning: those last."""
        later = [spec for o in range(offset + 1, len(self._life.entries)) for spec in self._models(o)]
        now = {c.arguments["model"] for c in self._commands if c.do == "models.add" and not _from_log(c)}
        return list(dict.fromkeys([*self._models(offset), *[spec for spec in later if spec not in now]]))

    def _models_of(self, offset: int) -> list[str]:
        about = self._standing(self._time(offset + 1), "models.add", "models.remove", "models.promote")
        about = [c for c in about if not (_from_log(c) and c.position.offset > self._last and self._waits(c))]
        decided = [c for c in about if c.position.offset <= offset]
        base = self.settings_at(decided[0].position.offset if decided else offset)["models"].split(",")
        if not decided and offset < self._last:
            for o in range(offset, about[0].position.offset if about else self._last):
                base += self.settings_at(o)["models"].split(",")
        specs = list(dict.fromkeys([*base, *[c.arguments["model"] for c in about if _from_log(c)]]))
        for number, command in enumerate(decided):
            spec = command.arguments["model"]
            others = [other for other in specs if other != spec]
            comes_back = any(_from_log(c) and c.arguments["model"] == spec for c in about[number:])
            if command.do == "models.add" and spec not in specs:
                specs = [*specs, spec]
            elif command.do == "models.promote" and spec in specs:
                specs = [spec, *others]
            elif command.do == "models.remove" and others and not comes_back:
                specs = others
        return specs

    def _waits(self, added: Command) -> bool:
        """Whether the stream had an image when a model was added: before that, a model joins at once."""
        before = self._life.entries[self._begun : added.position.offset]
        return any(isinstance(e.event, Features) and e.event.stream == self._stream for e in before)

    # The log without commands.

    def message(self, offset: int) -> Message:
        entry = self._life.entries[offset]
        event, mine = entry.event, _stream(entry.event) == self._stream
        if isinstance(event, Command) and event.do == "stream.create" and offset == self._begun:
            return self._create(offset)
        if isinstance(event, Defaults) or (isinstance(event, Command) and mine and entry.applied):
            own = self.own_settings_at(offset)
            return encode_defaults(own, 0, started=STARTED, by="t", time=0.0, event_id=f"d{offset}", source="t")
        if not mine or not isinstance(event, Features | Label) or self._left_out(event):
            return NOTHING
        if self._forgotten(event):
            # A stream begins when its first image comes, also where that is forgotten later.
            return self._create(offset) if offset == self._begun else NOTHING
        return _with_label(event, self._label(event))

    def _left_out(self, event: Features | Label) -> bool:
        """What the stream never saw: it was not there yet, or the image is one of an earlier stream of its name."""
        offset = event.position.offset
        if isinstance(event, Label):
            return offset < self._begun and offset not in self._adopted
        assert event.image is not None
        return offset < self._begun or event.image.offset < self._life.deleted_before(self._stream)

    def _create(self, offset: int) -> Message:
        return encode_command(self._stream, f"c{offset}", "stream.create", arguments={}, by="t", time=0.0, source="t")

    def _forgotten(self, event: Features | Label) -> bool:
        offset = event.position.offset
        later = [c for c in self._standing(self._last, "example.forget") if c.position.offset > offset]
        return offset < self._last and any(event.id in c.arguments["ids"] for c in later)

    def _label(self, event: Features | Label) -> str | None:
        if event.label is None and isinstance(event, Features):
            return None
        if event.id in self._last_labels and event.position.offset < self._rebuilt:
            return self._last_labels[event.id]
        return None if event.label is None else self._called(event.label, event.position.offset)

    def _changed_labels(self) -> dict[str, str | None]:
        """The labels at the time of the rebuild of all examples whose label had been another one before."""
        before: dict[str, str | None] = {}
        changed: dict[str, str | None] = {}

        def look(state: StreamState) -> None:
            for id, _, number in state.window.rows():
                label = state.labels[number] if number >= 0 else None
                if before.get(id) not in (None, label) or id in changed:
                    changed[id] = label
                before[id] = label

        self.fold(self._rebuilt, look)
        return changed

    def fold(self, end: int | None = None, look: Callable[[StreamState], None] = lambda state: None) -> Fold:
        """The fold of the log without commands, before ``end``; ``look`` sees the stream's state after every record."""
        log = ExampleLog()
        fold = new_fold(log, **{**self._life.settings, "models": ",".join(self.models_at(-1))})
        for offset in range(len(self._life.entries) if end is None else end):
            state = fold.streams.get(self._stream)
            if state:
                self._add_from_now(offset, state)
            fold.apply([log.append(self.message(offset))])
            if state := fold.streams.get(self._stream):
                look(state)
        return fold

    def _add_from_now(self, offset: int, state: StreamState) -> None:
        """Have a model begin at this record, which no settings can do."""
        event = self._life.entries[offset].event
        if not (isinstance(event, Command) and event in self._commands and event.do == "models.add"):
            return
        spec = event.arguments["model"]
        if state.models and not _from_log(event) and spec in self._models(offset) and spec not in state.config.models:
            empty = state.empty_copy(replace(state.config, models=(spec,)))
            change_models(state, (*state.config.models, spec), empty)


def _stream(event: ExampleEvent) -> str:
    return "" if isinstance(event, Defaults) else event.stream


def _from_log(command: Command) -> bool:
    return command.do == "models.add" and command.arguments.get("from", "log") == "log"


def _with_label(event: Features | Label, label: str | None) -> Message:
    """The event as its record in the log, with another label."""
    if isinstance(event, Label):
        id = f"l{event.position.offset}"
        stream, by, why = event.stream, event.by, event.why
        return encode_label(stream, event.id, label, by=by, time=event.time, event_id=id, source="test", why=why)
    image = Image(event.id, event.stream, label, event.time, b"", Position(0, event.position.offset))
    return encode_features(image, event.vector, BACKBONE, source="test")
