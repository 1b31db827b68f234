"""Calls for commands: what changes a stream is an event, and its end is one."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from prequel.services.gateway.append_queue import may_arrive
from prequel.services.gateway.gateway import SOURCE, Gateway
from prequel.services.gateway.http.answers import AppliedAnswer, CommandAccepted, described, json_answer
from prequel.services.gateway.http.parameters import GivenId, StreamName, Wait, only_known
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.live import DELETE, Refusal
from prequel.shared.events.commands import applied_json, encode_command
from prequel.shared.events.names import COMMAND_PATTERN, ID_PATTERN
from prequel.shared.events.types import Applied
from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.erasable import ErasableLog

CREATE = "stream.create"
ERASED = "The stream's records are being erased from the log."
KEPT = "The stream's records stay in Kafka until retention ends them."


class GivenCommand(BaseModel):
    """What is to be done, and what goes with it: further members as the command has them."""

    model_config = ConfigDict(extra="allow", strict=True)

    do: Annotated[str, Field(pattern=f"^{COMMAND_PATTERN}$", description="`stream.create`, `stream.delete`")]
    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")] | None = Field(None, description="the same again counts once")
    by: Annotated[str, Field(max_length=128)] | None = Field(None, description="who says so")


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["streams"], dependencies=[Depends(only_known)])
    answers: Any = {200: {"model": AppliedAnswer}, **described(404, 409, 422, 503)}

    @router.post(
        "/v1/streams/{stream}/commands",
        status_code=202,
        response_model=CommandAccepted,
        responses=answers,
        summary="Change a stream",
    )
    async def send_command(stream: StreamName, body: GivenCommand, wait: Wait = 0) -> Response:
        """The answer is 202 once the command is durable; with `wait`, 200 and what became of it.

        `stream.create` makes a stream before its first image, `stream.delete` ends one. Others are refused.
        """
        return await _send(gateway, stream, body, wait)

    @router.delete(
        "/v1/streams/{stream}",
        status_code=202,
        response_model=CommandAccepted,
        responses=answers,
        summary="Delete a stream",
    )
    async def delete_stream(stream: StreamName, wait: Wait = 0, id: GivenId = None) -> Response:
        """Its models, its metrics and what it learned are gone; `records` says what becomes of its events in the log.

        As the command `stream.delete`; with an Idempotency-Key it may be sent again and counts once.
        """
        return await _send(gateway, stream, GivenCommand(do=DELETE, id=id, by=None), wait)

    return router


async def _send(gateway: Gateway, stream: str, given: GivenCommand, wait: float) -> Response:
    ends = await _admit(gateway, stream, given.do)
    id = given.id or gateway.new_id()
    more = dict(given.model_extra or {}) | ends
    message = encode_command(
        stream, id, given.do, arguments=more, by=given.by or "anonymous", time=gateway.clock(), source=SOURCE
    )
    try:
        (position,) = await gateway.labels.append([message])
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm it: {error}; send it again with this id to count once",
            {"id": id, "may_arrive": may_arrive(error)},
        ) from error
    if given.do == CREATE:
        gateway.known.accepted(stream)
    note = {"records": ERASED if isinstance(gateway.log, ErasableLog) else KEPT} if given.do == DELETE else {}
    found = await gateway.live.applied(position, wait)
    if isinstance(found, Applied):
        return json_answer(applied_json(found) | (note if found.status != "refused" else {}))
    answer = {"id": id, "stream": stream, "position": str(position)}
    if isinstance(found, Refusal):
        why = f"{found.reason}: {found.detail}"
        return json_answer(answer | {"do": given.do, "status": "refused", "why": why})
    return json_answer(answer | note, 202)


async def _admit(gateway: Gateway, stream: str, do: str) -> dict[str, Any]:
    """What the gateway says with a command. Raises Problem where it makes no sense, LogUnavailable, Late."""
    if do == CREATE:
        await gateway.room.check(stream)
        return {}
    if do != DELETE:
        await gateway.known.check(stream)
        return {}
    # At one time: an append comes after them, and all that has to be answered within ANSWER_S.
    _, ends = await asyncio.gather(gateway.known.check(stream), gateway.known.ends())
    # The images before are the deleted stream's own, whenever their features come.
    return {"images": {str(partition): end for partition, end in ends.items()}}
