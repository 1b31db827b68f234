"""Which features each stream takes, and whether any can be made of an image: others are refused before the log."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.shared.backbone_specs import NOT_EXTRACTABLE, matches
from prequel.shared.store.base import StoreUnavailable

Value = TypeVar("Value")

MAX_STREAMS = 10_000
"""Streams whose first features this gateway accepted, 200 bytes each. Their learners publish them within a second; with
fewer, features that do not fit could follow within that second, and become dead letters instead of being refused."""


IMAGES_LOOKED_AT = 100
"""Newest predictions among which one of an image shows that somebody's own extractor serves the stream: a few
microseconds each. With ten, features that the same sender adds would hide it; all of a gallery would take too long."""


class FeatureKind(NamedTuple):
    """``backbone`` is the id of one, or the sender's own word; ``dim`` the length of the vectors."""

    backbone: str
    dim: int


class StreamFeatures:
    """Call it on the event loop only. In doubt nothing is refused: extractor and learner decide then.

    ``backbone_problem`` says why there is no backbone of this id; empty where there is one.
    """

    def __init__(self, statuses: StreamStatuses, live: LiveView, backbone_problem: Callable[[str], str]) -> None:
        self._statuses, self._live, self._problem = statuses, live, backbone_problem
        self._first: OrderedDict[str, tuple[FeatureKind, str]] = OrderedDict()
        """By stream that was new, the kind and the id of what this gateway accepted first."""
        self._extractable: OrderedDict[str, None] = OrderedDict()
        """Streams whose backbone makes features of images: they are not asked for at every image."""

    async def require(self, stream: str, kind: FeatureKind, *, id: str, field: str) -> bool:
        """Raises Problem 409, for example ``field``, where the stream learns from other features.

        Of a new stream it remembers these, of the example ``id``: of two requests at once, exactly one is first. True
        for that one, which calls ``forget`` where its examples do not get into the log after all.
        """
        try:
            status = await self._statuses.newest(stream)
            if status is None and stream not in self._first:  # It may have begun just now by an image or a command.
                status = await self._statuses.get(stream)
        except StoreUnavailable:
            status = None
        if status and status.dim:
            _check(stream, FeatureKind(status.backbone, status.dim), kind, field)
            return False
        if status and not matches(status.backbone, kind.backbone):
            raise _conflict(f"{field}backbone", f"stream {stream} is to learn from {status.backbone}", kind.backbone)
        known = self._first.get(stream)
        if known and self._live.rejected_image(stream, known[1]):  # Then the stream has not begun with it.
            known = None
        first, first_id = known or (kind, id)
        _check(stream, first, kind, field)
        _remember(self._first, stream, (first, first_id))
        return known is None

    async def require_extractable(self, stream: str) -> None:
        """Raises Problem 409 where the stream learns from features that no backbone of Prequel makes of an image."""
        if problem := await self._extraction_problem(stream):
            raise Problem(409, problem, more={"reason": NOT_EXTRACTABLE})

    async def require_images(self, stream: str) -> None:
        """The same, unless predictions show that an extractor of somebody's own makes them of the stream's images."""
        if stream in self._extractable:
            return
        problem = await self._extraction_problem(stream)
        if problem and not any(row.image() for row in self._live.gallery.newest(stream)[:IMAGES_LOOKED_AT]):
            raise Problem(409, problem, more={"reason": NOT_EXTRACTABLE})

    async def _extraction_problem(self, stream: str) -> str:
        """Why no features are made of an image of the stream; empty where they are, or in doubt."""
        try:
            status = await self._statuses.newest(stream)
        except StoreUnavailable:
            return ""
        if not status or not status.dim:
            return ""
        if problem := self._problem(status.backbone):
            return (
                f"stream {stream} learns from features of {status.backbone}, which no extractor makes of an image "
                f"({problem}): send features instead"
            )
        _remember(self._extractable, stream, None)
        return ""

    def forget(self, stream: str) -> None:
        """What came first is not in the log, or the stream is deleted: others may be first."""
        self._first.pop(stream, None)
        self._extractable.pop(stream, None)


def _remember(known: "OrderedDict[str, Value]", stream: str, value: Value) -> None:
    known[stream] = value
    known.move_to_end(stream)
    if len(known) > MAX_STREAMS:
        known.popitem(last=False)


def _check(stream: str, known: FeatureKind, sent: FeatureKind, field: str) -> None:
    state = f"stream {stream} learns from {known.backbone} with {known.dim} values"
    if sent.backbone != known.backbone:
        raise _conflict(
            f"{field}backbone", state, f"{sent.backbone}; where these are of it, say backbone={known.backbone}"
        )
    if sent.dim != known.dim:
        raise _conflict(f"{field}features", state, str(sent.dim))


def _conflict(field: str, state: str, sent: str) -> Problem:
    message = f"{state}, not {sent}; send other features to another stream"
    return Problem(409, message, more={"errors": [{"field": field, "message": message}]})
