"""The parameters that several routes share, with their limits; an unknown one is refused, not ignored."""

from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import Header, Path, Query, Request
from pydantic import BeforeValidator

from prequel.services.gateway.http.problems import Problem
from prequel.shared.events.names import ID_PATTERN, LABEL_PATTERN, POSITION_PATTERN, STREAM_PATTERN, normal_label

MAX_WAIT_SECONDS = 60.0
"""Many proxies cut a request off that is silent for longer, and a client may always wait again."""
LABEL = f"^{LABEL_PATTERN}$".replace(r"\ud800-\udfff", "")
"""Without the surrogates, which pydantic's regular expressions cannot name: its strings contain none."""
MAX_MODEL = 2_000
"""Characters of a model's spec, which has all specs of a mixture in it; with 200, the page could not ask for the matrix
of one of ten models. Servers and proxies take some 8,000 for the whole address."""
POSITION = f"^{POSITION_PATTERN}$"


def _normalized(value: object) -> object:
    return normal_label(value) if isinstance(value, str) else value


NormalizedLabel = BeforeValidator(_normalized)
"""For every label that comes in. Before the pattern is checked: the same text in another Unicode form is the same
label."""

StreamName = Annotated[str, Path(pattern=f"^{STREAM_PATTERN}$", description="name of the stream, as in `pets`")]
ImageId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="id of the image")]
Wait = Annotated[
    float,
    Query(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False, description="seconds to wait for the effect"),
]
LabelParameter = Annotated[
    str | None, NormalizedLabel, Query(pattern=LABEL, description="what the image shows, if known")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=f"^{ID_PATTERN}$",
        description="the image's id: sent again with the same one, it is learned once",
    ),
]
CommandKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=f"^{ID_PATTERN}$",
        description="the command's id: sent again with the same one, it counts once",
    ),
]


async def refuse_unknown_parameters(request: Request) -> None:
    """Raises Problem 422 for a query parameter that the route does not have (a misspelt one would do nothing), and for
    a query that is not UTF-8 (it would be read as something else).

    A coroutine though it waits for nothing: FastAPI runs plain functions on another thread, for every request.
    """
    route: Any = request.scope["route"]
    _require_utf8(request.scope["query_string"])
    known = {parameter.alias for parameter in route.dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        remedy = f"this call has {', '.join(sorted(known))}" if known else "this call has none"
        errors = [{"field": name[:100], "message": f"unknown parameter; {remedy}"} for name in unknown[:10]]
        raise Problem(422, f"{errors[0]['field']}: {errors[0]['message']}", more={"errors": errors})


def _require_utf8(query: bytes) -> None:
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError as error:
        raise Problem(422, f"query: not UTF-8 ({error.reason}); percent-encode each value as UTF-8") from None
