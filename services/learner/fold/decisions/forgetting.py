"""Which images were forgotten, one by one: by digests of their ids, since the ids themselves must not stay anywhere."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from prequel.services.learner.fold.commands import Forgotten, image_ends
from prequel.services.learner.fold.decisions.decisions import MAX_FORGOTTEN, Decision
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.names import ID_RULE, id_digest, split_hashes, valid_digests, valid_hashes, valid_id
from prequel.shared.events.types import Command

MAX_IDS = 1_000
"""Ids of one command: ten times as many, and a command would be a record of a megabyte."""


class CaughtUp(NamedTuple):
    """What a command forgot, and whether the stream's state is as if it had never come."""

    forgotten: Forgotten
    caught_up: bool


def forgettings(stream: StreamState) -> Iterator[CaughtUp]:
    """What the stream's commands forgot, oldest first."""
    for decision in stream.decisions.forgettings:
        yield CaughtUp(forgotten_by(stream.name, decision), decision.number <= stream.decisions.caught_up)


def forgotten_by(stream: str, decision: Decision) -> Forgotten:
    """What a decision that was applied forgot."""
    ends = {int(partition): end for partition, end in decision.arguments.get("images", {}).items()}
    return Forgotten(stream, decision.position, ends, frozenset(decision.arguments["digests"]))


def newly_forgotten(stream: StreamState, command: Command) -> tuple[str, ...]:
    """What a command that was just applied forgot, by digests; nothing where it is another kind of command."""
    forgotten = [d for d in stream.decisions.forgettings[-1:] if d.position == command.position]
    return tuple(digest for decision in forgotten for digest in decision.arguments["digests"])


def forgotten_arguments(stream: StreamState, command: Command) -> dict[str, Any]:
    """The command's arguments as the stream keeps them. Raises Refused.

    A record of the command that was itself erased has the digests already: it was applied, whatever is known now.
    """
    ends = image_ends(command)
    if ends is None:
        raise Refused('field images must be an object of partition and offset, like {"0": 17}')
    digests = _digests(stream, command.arguments)
    if len(stream.decisions.forgotten) + len(digests) > MAX_FORGOTTEN:
        raise Refused(f"the stream has forgotten {MAX_FORGOTTEN} images one by one: delete the stream instead")
    return {**without_ids(command).arguments, "digests": digests}


def without_ids(command: Command) -> Command:
    """The command as the history keeps it where it was refused."""
    kept = {name: value for name, value in command.arguments.items() if name not in ("ids", "hashed")}
    return command._replace(arguments=kept)


def _digests(stream: StreamState, arguments: Mapping[str, Any]) -> list[str]:
    digests = arguments.get("digests")
    if valid_digests(digests):
        return list(digests)[:MAX_IDS]
    if "hashed" in arguments:
        return _of_hashed(stream, arguments["hashed"])
    ids = arguments.get("ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_IDS:
        raise Refused(f"field ids must be a list of 1 to {MAX_IDS} ids")
    # The texts do not quote an id: they stay in the history.
    for number, id in enumerate(ids, 1):
        if not isinstance(id, str) or not valid_id(id):
            raise Refused(f"number {number} of ids is not an id: use {ID_RULE}")
        if not _may_know(stream, id):
            raise Refused(f"the stream knows no image with the id that is number {number} of ids")
    return [id_digest(id) for id in ids]


def _of_hashed(stream: StreamState, hashed: object) -> list[str]:
    """The digests of ids of which a gateway has written ``id_hashes`` alone: what is refused stays in the log."""
    if not isinstance(hashed, list) or not 0 < len(hashed) <= MAX_IDS or not all(map(valid_hashes, hashed)):
        raise Refused(f"field hashed must be a list of 1 to {MAX_IDS} hashes of ids, as a gateway writes them")
    known = {id_digest(id) for id in chain(stream.window.ids(), stream.waiting.ids())}
    found = [split_hashes(text) for text in hashed]
    for number, (digest, short) in enumerate(found, 1):
        if not (digest in known or stream.expired_ids.full or stream.expired_ids.has_hash(short)):
            raise Refused(f"the stream knows no image with the id that is number {number} of ids")
    return [digest for digest, _ in found]


def _may_know(stream: StreamState, id: str) -> bool:
    """Whether the image has come, or may have come before the oldest id that is remembered."""
    return stream.knows(id) or stream.waiting.get(id) is not None or stream.expired_ids.full
