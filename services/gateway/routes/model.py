"""The call that hands a stream's model out as a file."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.parameters import MAX_MODEL, StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import invalid
from prequel.services.gateway.http.schemas import BINARY
from prequel.services.gateway.routes.learner_answers import learner_answer
from prequel.shared.model_files import CannotConvert, ModelFormat
from prequel.shared.queries import ModelCannotLeave

router = APIRouter(tags=["streams"], dependencies=[Depends(refuse_unknown_parameters)])

OCTETS = "application/octet-stream"
Form = Annotated[ModelFormat, Query(description="npz: arrays; onnx: features in; keras: images in, one file")]
Model = Annotated[str | None, Query(max_length=MAX_MODEL, description="empty: the champion")]


@router.get(
    "/v1/streams/{stream}/model",
    response_class=Response,
    responses={200: {"content": {OCTETS: BINARY}}, **problem_responses(404, 422, 503)},
    summary="A model as a file",
)
async def read_model(
    gateway: CurrentGateway, stream: StreamName, format: Form = "npz", model: Model = None
) -> Response:
    """The model as it answers now, with the names of its classes: `prequel predict` reads npz; ONNX Runtime, Keras and
    what builds on them the others. What each file holds stands in the guide to offline work."""
    try:
        data = await learner_answer(gateway, stream, gateway.model_files.get(stream, model or "", format))
    except ModelCannotLeave as error:
        raise invalid("model", str(error)) from None
    except CannotConvert as error:
        raise invalid("format", str(error)) from None
    headers = {"Content-Disposition": f'attachment; filename="{stream}.{format}"'}
    return Response(data, headers=headers, media_type=OCTETS)
