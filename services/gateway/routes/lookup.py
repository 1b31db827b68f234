"""The call that tells of many images at once whether they are known, and what their truth is."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from prequel.services.gateway.blocking_calls import Bounded
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import described, json_answer
from prequel.services.gateway.http.parameters import StreamName, only_known
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.predictions import NOWHERE, Entry
from prequel.shared.events.names import ID_PATTERN
from prequel.shared.log.base import EXAMPLES, Log, Position
from prequel.shared.runtime.deadlines import QUERY_S

MAX_IDS = 1_000
"""A request of this many is 40 KB and takes a few milliseconds: more would hold up the others on the event loop."""


READING = 2
"""Threads that may wait for the log: one that hangs must not take those of other calls."""


class Wanted(BaseModel):
    """Ids to look up."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: Annotated[
        list[Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]],
        Field(min_length=1, max_length=MAX_IDS, description="ids of images"),
    ]
    who: bool = Field(False, description="whether to read from the log who gave each truth: slower")


class RefusedLabel(BaseModel):
    """The newest label that was not taken, where it is newer than the truth."""

    label: str
    status: str = Field(description="rejected or expired")
    position: str = Field(description="where it stands in the log")


class Known(BaseModel):
    """An image that has a prediction."""

    id: str
    truth: str | None
    refused: RefusedLabel | None
    by: str | None = Field(
        description="who gave the truth or took it back, if asked; null: it came with the image, or is not known"
    )
    late: bool = Field(
        description="whether the truth came by a label of its own, not with the image, or was taken back by one"
    )


class Found(BaseModel):
    """Those of the ids that are known, in the order asked."""

    examples: list[Known]


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["predictions"], dependencies=[Depends(only_known)])
    reading = Bounded("gateway-lookups", READING, QUERY_S)

    @router.post(
        "/v1/streams/{stream}/lookup",
        response_model=Found,
        responses=described(413, 422, 503),
        summary="Look many images up",
    )
    async def look_up(stream: StreamName, body: Wanted) -> Response:
        """What is known of images, among the newest that are kept: to know whether to send them, or to correct labels.

        Nothing is recorded. Ids that are not in the answer have no prediction, or none that is kept.
        """
        if not gateway.live.current:
            raise unavailable("the gateway is still reading the newest predictions")
        entries = {id: entry for id in body.ids if (entry := gateway.live.view.get(stream, id))}
        late = [entry.decided for entry in entries.values() if _is_late(entry)]
        by = await reading.run(lambda: authors(gateway.log, late)) if body.who and late else {}
        return json_answer({"examples": [_known(id, entry, by) for id, entry in entries.items()]})

    return router


def authors(log: Log, positions: Iterable[Position]) -> dict[Position, str]:
    """Who said each of the label events that the log still has. Blocks; raises LogUnavailable."""
    found = {}
    for partition, offsets in _by_partition(positions).items():
        for offset, record in log.read(EXAMPLES, partition, offsets).items():
            found[Position(partition, offset)] = _author(record.value)
    return found


def _by_partition(positions: Iterable[Position]) -> dict[int, Sequence[int]]:
    grouped: dict[int, set[int]] = {}
    for partition, offset in positions:
        grouped.setdefault(partition, set()).add(offset)
    return {partition: sorted(offsets) for partition, offsets in grouped.items()}


def _author(value: bytes) -> str:
    """What the event says; it decided a truth once, so it can be read, unless the log was replaced."""
    try:
        return str(orjson.loads(value).get("by") or "")
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def _is_late(entry: Entry) -> bool:
    return entry.decided not in (NOWHERE, entry.position)


def _known(id: str, entry: Entry, by: dict[Position, str]) -> dict[str, Any]:
    refused = entry.refused if entry.refused and entry.refused.position >= entry.decided else None
    return {
        "id": id,
        "truth": entry.truth,
        "refused": refused._asdict() | {"position": str(refused.position)} if refused else None,
        "by": by.get(entry.decided) if _is_late(entry) else None,
        "late": _is_late(entry),
    }
