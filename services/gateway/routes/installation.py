"""The call that says how this installation's commands are typed: for the page's first words to a newcomer."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import json_answer
from prequel.services.gateway.http.parameters import only_known
from prequel.shared.invocation import Invocation


class Installation(BaseModel):
    """How commands are typed here."""

    program: str = Field(description="what stands for `prequel` in a terminal where this gateway runs")
    container: bool = Field(description="whether that is in a container")
    url: str = Field(description="where those commands find a gateway untold; in a container, where those beside it do")
    keys: bool = Field(description="whether commands need an API key")


def routes(gateway: Gateway, invocation: Invocation) -> APIRouter:
    router = APIRouter(tags=["operations"], dependencies=[Depends(only_known)])

    @router.get("/v1/installation", response_model=Installation, summary="How commands are typed here")
    async def read_installation() -> Response:
        return json_answer(Installation(**invocation._asdict(), keys=bool(gateway.keys)).model_dump())

    return router
