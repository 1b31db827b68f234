"""Calls that try models on a stream's past: start a back-test, look at it, end it."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import MAX_MODEL, CommandKey, StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import Problem, invalid
from prequel.services.gateway.http.schemas import BacktestAnswer, BacktestList, BacktestSummary
from prequel.services.gateway.routes.learner_answers import learner_answer
from prequel.services.gateway.view.backtests import summary
from prequel.shared.backbone_specs import MAX_SPEC_LENGTH
from prequel.shared.backtests import MAX_MODELS, BacktestRefused, BacktestRequest
from prequel.shared.events.names import ID_PATTERN
from prequel.shared.model_specs import split_outside

BacktestId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="id of the back-test")]
Spec = Annotated[str, StringConstraints(min_length=1, max_length=MAX_MODEL, strip_whitespace=True)]


def _split(models: object) -> object:
    """Specs separated by commas become a list of them."""
    if not isinstance(models, str):
        return models
    specs = split_outside(models, ",")
    if not all(spec.strip() for spec in specs):
        raise ValueError("must name models, separated by commas, as in slda,ridge;width=1024, and none of them empty")
    return specs


def _position(since: object) -> object:
    """An offset, or partition:offset, as text."""
    text = str(since) if type(since) is int else since
    if text is not None and not (isinstance(text, str) and re.fullmatch(r"(\d{1,9}:)?\d{1,18}", text, re.ASCII)):
        raise ValueError("must be an offset, or partition:offset")
    return text


router = APIRouter(tags=["back-tests"], dependencies=[Depends(refuse_unknown_parameters)])


class BacktestBody(BaseModel):
    """What to try."""

    model_config = ConfigDict(extra="forbid", strict=True)

    models: Annotated[
        list[Spec],
        BeforeValidator(_split, json_schema_input_type=list[str] | str),
        Field(min_length=1, max_length=MAX_MODELS + 1),
    ] = Field(
        [],
        description="specs, in a list or separated by commas; the champion is always replayed beside them. May be left "
        "out with a backbone: then the champion's spec",
    )
    backbone: str = Field(
        "",
        max_length=MAX_SPEC_LENGTH,
        description="try them on the features of another backbone, which `prequel reextract` has made: its id, or the "
        "beginning of it; empty: the stream's own",
    )
    since: Annotated[str | None, BeforeValidator(_position, json_schema_input_type=str | int | None)] = Field(
        None, description="where to begin in the log, partition:offset or an offset; null: where the stream begins"
    )
    last: Annotated[int, Field(ge=1, lt=2**63)] | None = Field(
        None, description="only the newest so many examples; null: all"
    )


@router.post(
    "/v1/streams/{stream}/backtests",
    status_code=202,
    response_model=BacktestSummary,
    responses=problem_responses(404, 409, 422, 503),
    summary="Try models on the past",
)
async def start_backtest(
    gateway: CurrentGateway, stream: StreamName, body: BacktestBody, id: CommandKey = None
) -> Response:
    """Replays the stream's events with these models and the champion, on identical events and as labels really came.

    The answer is 202 once it is in the learner's queue: 409 where there is nothing to replay, or no room to wait.
    """
    if not body.models and not body.backbone:
        raise invalid("models", "is missing")
    request = BacktestRequest(
        id=id or gateway.new_id(), models=body.models, backbone=body.backbone, since=body.since, last=body.last
    )
    try:
        backtest = await learner_answer(
            gateway, stream, gateway.query_calls.run(lambda: gateway.queries.start_backtest(stream, request))
        )
    except BacktestRefused as refused:
        raise invalid(refused.field, refused.why) if refused.field else Problem(409, refused.why) from None
    return json_answer(summary(backtest), 202)


@router.get(
    "/v1/streams/{stream}/backtests",
    response_model=BacktestList,
    responses=problem_responses(404, 422, 503),
    summary="Back-tests of a stream",
)
async def list_backtests(gateway: CurrentGateway, stream: StreamName) -> Response:
    """Those that wait or run, and the newest 20 that have ended, the newest first, without their results."""
    found = await gateway.backtests.all(stream)
    if not found and await gateway.statuses.get(stream) is None:
        raise await gateway.known_streams.not_found(stream)
    return json_answer({"stream": stream, "backtests": found})


@router.get(
    "/v1/streams/{stream}/backtests/{id}",
    response_model=BacktestAnswer,
    responses=problem_responses(404, 422, 503),
    summary="One back-test",
)
async def read_backtest(gateway: CurrentGateway, stream: StreamName, id: BacktestId) -> Response:
    """Its progress, and once it is done its result: metrics, curve and confusion of each model, and the verdicts."""
    found = await gateway.backtests.get(stream, id)
    if found is None:
        raise _no_backtest(stream, id)
    return json_answer(found)


@router.delete(
    "/v1/streams/{stream}/backtests/{id}",
    response_model=BacktestSummary,
    responses=problem_responses(404, 422, 503),
    summary="End or forget a back-test",
)
async def end_backtest(gateway: CurrentGateway, stream: StreamName, id: BacktestId) -> Response:
    """One that waits or runs is `cancelled`, and stays in the list; one that has ended is `forgotten`."""
    ended = await learner_answer(
        gateway, stream, gateway.query_calls.run(lambda: gateway.queries.end_backtest(stream, id))
    )
    if ended is None:
        raise _no_backtest(stream, id)
    return json_answer(summary(ended))


def _no_backtest(stream: str, id: str) -> Problem:
    return Problem(404, f"there is no back-test {id} of stream {stream}; /v1/streams/{stream}/backtests lists all")
