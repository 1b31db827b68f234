"""The call that says of many images at once whether they are known, and what their truth is."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.gallery import NOWHERE, GalleryRow
from prequel.shared.events.names import ID_PATTERN
from prequel.shared.log.base import EXAMPLES, Log, Position

MAX_IDS = 1_000
"""A request of this many is 40 KB and takes a few milliseconds: more would delay others on the event loop."""

router = APIRouter(tags=["predictions"], dependencies=[Depends(refuse_unknown_parameters)])


class LookupBody(BaseModel):
    """Ids to look up."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: Annotated[
        list[Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]],
        Field(min_length=1, max_length=MAX_IDS, description="ids of images"),
    ]
    who: bool = Field(False, description="whether to read from the log who gave each truth: slower")


class RefusedLabelAnswer(BaseModel):
    """The newest label that was refused, if it is newer than the truth."""

    label: str
    status: str = Field(description="rejected or expired")
    position: str = Field(description="where the label stands in the log")


class KnownImage(BaseModel):
    """An image that has a prediction."""

    id: str
    truth: str | None
    refused: RefusedLabelAnswer | None
    by: str | None = Field(
        description="who gave the truth or retracted it, with `who`; null: it came with the image, or is not known"
    )
    late: bool = Field(
        description="whether the truth came by a label of its own, not with the image, or was retracted by one"
    )


class LookupAnswer(BaseModel):
    """The known images among the ids, in the order of the request."""

    examples: list[KnownImage]


@router.post(
    "/v1/streams/{stream}/lookup",
    response_model=LookupAnswer,
    responses=problem_responses(413, 422, 503),
    summary="Look many images up",
)
async def look_up(gateway: CurrentGateway, stream: StreamName, body: LookupBody) -> Response:
    """Which of these images are among the newest in memory, and their truth: to decide whether to send or correct them.

    Changes nothing. Ids that are not in the answer have no prediction, or none that is still in memory.
    """
    if not gateway.live.current:
        raise unavailable("the gateway is still reading the newest predictions")
    rows = {id: row for id in body.ids if (row := gateway.live.gallery.get(stream, id))}
    late = [row.truth_position for row in rows.values() if _is_late(row)]
    by = await gateway.lookup_calls.run(lambda: authors(gateway.log, late)) if body.who and late else {}
    return json_answer({"examples": [_known_image(id, row, by) for id, row in rows.items()]})


def authors(log: Log, positions: Iterable[Position]) -> dict[Position, str]:
    """Who gave each of the label events that the log still has. Blocks; raises LogUnavailable."""
    names = {}
    for partition, offsets in _by_partition(positions).items():
        for offset, record in log.read(EXAMPLES, partition, offsets).items():
            names[Position(partition, offset)] = _author(record.value)
    return names


def _by_partition(positions: Iterable[Position]) -> dict[int, Sequence[int]]:
    grouped: dict[int, set[int]] = {}
    for partition, offset in positions:
        grouped.setdefault(partition, set()).add(offset)
    return {partition: sorted(offsets) for partition, offsets in grouped.items()}


def _author(value: bytes) -> str:
    """Who gave the label in this event; empty where it cannot be read, because the log has been replaced since."""
    try:
        return str(orjson.loads(value).get("by") or "")
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def _is_late(row: GalleryRow) -> bool:
    return row.truth_position not in (NOWHERE, row.position)


def _known_image(id: str, row: GalleryRow, by: dict[Position, str]) -> dict[str, Any]:
    refused = row.refused if row.refused and row.refused.position >= row.truth_position else None
    return {
        "id": id,
        "truth": row.truth,
        "refused": refused._asdict() | {"position": str(refused.position)} if refused else None,
        "by": by.get(row.truth_position) if _is_late(row) else None,
        "late": _is_late(row),
    }
