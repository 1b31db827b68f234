"""The call that says how commands are typed in this installation: the page shows them to a newcomer."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import json_answer
from prequel.services.gateway.http.parameters import refuse_unknown_parameters

router = APIRouter(tags=["operations"], dependencies=[Depends(refuse_unknown_parameters)])


class Installation(BaseModel):
    """How commands are typed here."""

    program: str = Field(description="what to type for `prequel` in a terminal on the gateway's machine")
    container: bool = Field(description="whether that is in a container")
    url: str = Field(description="the gateway that those commands use by default; in a container, that of its network")
    keys: bool = Field(description="whether commands need an API key")


@router.get("/v1/installation", response_model=Installation, summary="How commands are typed here")
async def read_installation(gateway: CurrentGateway) -> Response:
    keys = bool(gateway.credentials)
    return json_answer(Installation(**gateway.invocation._asdict(), keys=keys).model_dump())
