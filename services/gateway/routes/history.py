"""The call that says who changed a stream, when, and what became of it."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.schemas import HistoryAnswer
from prequel.services.gateway.routes.learner_answers import learner_answer
from prequel.shared.events.headers import timestamp
from prequel.shared.status import CommandEntry

router = APIRouter(tags=["streams"], dependencies=[Depends(refuse_unknown_parameters)])


@router.get(
    "/v1/streams/{stream}/history",
    response_model=HistoryAnswer,
    responses=problem_responses(404, 422, 503),
    summary="Who changed a stream",
)
async def read_history(gateway: CurrentGateway, stream: StreamName) -> Response:
    """The commands, the newest first, and the labels counted by who gave them and why. A stream keeps 10,000 commands.

    Its learner is asked. It includes every command whose effect a call here has answered.
    """
    history = await learner_answer(gateway, stream, gateway.histories.get(stream))
    answer = {
        "stream": stream,
        "position": history.position,
        "commands": [_entry(command) for command in history.commands],
        "labels": {"by": history.labels_by, "why": history.labels_why},
    }
    return json_answer(answer)


def _entry(command: CommandEntry) -> dict[str, Any]:
    return command.model_dump() | {"at": timestamp(command.at)}
