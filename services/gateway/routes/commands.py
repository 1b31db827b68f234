"""Calls that change a stream as a whole: each is a command, an event in the log, and so is a stream's deletion."""

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Depends, Response

from prequel.services.gateway.append_queue import may_have_been_appended
from prequel.services.gateway.blocking_calls import CallTimeout
from prequel.services.gateway.gateway import SOURCE, CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.command_bodies import (
    AddModel,
    AnyCommand,
    CommandBody,
    CreateStream,
    DeleteStream,
    ForgetExamples,
)
from prequel.services.gateway.http.parameters import CommandKey, StreamName, Wait, refuse_unknown_parameters
from prequel.services.gateway.http.problems import invalid, unavailable
from prequel.services.gateway.http.schemas import AppliedAnswer, CommandAccepted
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.services.gateway.routes.remains import remains
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.services.gateway.view.live import DELETE, FORGET
from prequel.shared.events.commands import applied_json, encode_command
from prequel.shared.events.types import Applied
from prequel.shared.log.base import LogUnavailable, Position
from prequel.shared.queries import UnknownStream
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.store.base import StoreUnavailable

CREATE = "stream.create"

RESPONSES: Any = {200: {"model": AppliedAnswer}, **problem_responses(404, 409, 422, 503)}

router = APIRouter(tags=["streams"], dependencies=[Depends(refuse_unknown_parameters)])


@router.post(
    "/v1/streams/{stream}/commands",
    status_code=202,
    response_model=CommandAccepted,
    responses=RESPONSES,
    summary="Change a stream",
)
async def send_command(gateway: CurrentGateway, stream: StreamName, body: AnyCommand, wait: Wait = 0) -> Response:
    """The answer is 202 once the command is durable; with `wait`, 200 and its effect: `status` says whether it was
    applied or refused, and `why`.

    With `catching_up` true it takes its full effect once a replay of the log has caught up; the stream's status shows
    how far that is. After an effect is known, every call here includes it: read your writes.
    """
    return await _send(gateway, stream, body, wait)


@router.delete(
    "/v1/streams/{stream}",
    status_code=202,
    response_model=CommandAccepted,
    responses=RESPONSES,
    summary="Delete a stream",
)
async def delete_stream(gateway: CurrentGateway, stream: StreamName, wait: Wait = 0, id: CommandKey = None) -> Response:
    """Deletes its models, its metrics and all that it learned; `records` says what happens to its events in the log.

    The same as the command `stream.delete`; with an Idempotency-Key it may be sent again and counts once.
    """
    return await _send(gateway, stream, DeleteStream(do=DELETE, id=id, by=None), wait)


async def _send(gateway: Gateway, stream: str, command: CommandBody, wait: float) -> Response:
    image_ends = await _check(gateway, stream, command)
    id = command.id or gateway.new_id()
    position = await _append(gateway, stream, id, command, image_ends=image_ends)
    if command.do == CREATE:
        gateway.known_streams.add(stream)
    if isinstance(command, ForgetExamples):
        gateway.live.hide_images(stream, command.ids, position)
    if isinstance(command, DeleteStream):
        await gateway.chosen_backbones.forget(stream)
    note = remains(gateway, command.do)
    effect = await gateway.live.applied(position, wait)
    if isinstance(effect, Applied):
        if command.do == "undo" or command.do.startswith("class."):
            # Lists of predictions say what classes are called now, by the newest status: they never wait for one.
            with suppress(StoreUnavailable):
                await gateway.statuses.get(stream)
        return json_answer(applied_json(effect) | (note if effect.status != "refused" else {}))
    answer = {"id": id, "stream": stream, "position": str(position)}
    if isinstance(effect, DeadLetter):
        why = f"{effect.reason}: {effect.detail}"
        return json_answer(answer | {"do": command.do, "status": "refused", "why": why})
    return json_answer(answer | note, 202)


async def _append(
    gateway: Gateway, stream: str, id: str, command: CommandBody, *, image_ends: dict[str, Any]
) -> Position:
    message = encode_command(
        stream,
        id,
        command.do,
        arguments=command.arguments() | image_ends,
        by=command.by or "anonymous",
        time=gateway.clock(),
        source=SOURCE,
    )
    try:
        (position,) = await gateway.label_queue.append([message])
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm the command: {error}; send it again with this id to make it count once",
            {"id": id, "may_arrive": may_have_been_appended(error)},
        ) from error
    return position


async def _check(gateway: Gateway, stream: str, command: CommandBody) -> dict[str, Any]:
    """What the gateway adds to a command. Raises Problem where it makes no sense, LogUnavailable, CallTimeout."""
    if isinstance(command, CreateStream):
        await gateway.capacity.require_room(stream)
        if command.backbone:
            await gateway.chosen_backbones.choose(stream, command.backbone)
        return {}
    if isinstance(command, AddModel):
        await asyncio.gather(gateway.known_streams.require(stream), _check_model(gateway, stream, command.model))
        return {}
    if command.do not in (DELETE, FORGET):
        await gateway.known_streams.require(stream)
        return {}
    # Both at one time: the append comes after them, and all of it has to be answered within ANSWER_S.
    _, ends = await asyncio.gather(gateway.known_streams.require(stream), gateway.known_streams.image_ends())
    # Images before these offsets belong to the deleted stream, or are forgotten, however late their features come.
    return {"images": {str(partition): end for partition, end in ends.items()}}


async def _check_model(gateway: Gateway, stream: str, spec: str) -> None:
    """Raises Problem where the stream's learner says that it cannot make the model.

    Where it does not say, nothing: the command is safe in the log, and the learner decides.
    """
    try:
        async with asyncio.timeout(STORE_READ_S):  # As long as the stream itself is looked for: an append comes after.
            problem = await gateway.query_calls.run(lambda: gateway.queries.model_problem(stream, spec))
    except (UnknownStream, LearnerUnavailable, StoreUnavailable, CallTimeout, TimeoutError):
        return
    if problem:
        raise invalid("model", problem)
