"""The parameters that several calls share, with their limits; an unknown one is refused, not ignored."""

from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import Header, Path, Query, Request
from pydantic import BeforeValidator

from prequel.services.gateway.http.problems import Problem
from prequel.shared.events.names import ID_PATTERN, LABEL_PATTERN, STREAM_PATTERN, normal_label

LONGEST_WAIT_SECONDS = 60.0
LABEL = f"^{LABEL_PATTERN}$".replace(r"\ud800-\udfff", "")
"""Without the surrogates, which pydantic's expressions cannot name: its strings hold none."""


def _one_spelling(value: object) -> object:
    return normal_label(value) if isinstance(value, str) else value


OneSpelling = BeforeValidator(_one_spelling)
"""For a label, wherever it comes in: its pattern is looked for after it was brought to its one spelling."""
POSITION = r"^\d{1,9}:\d{1,18}$"

StreamName = Annotated[str, Path(pattern=f"^{STREAM_PATTERN}$", description="name of the stream, as in `pets`")]
ImageId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="id of the image")]
Wait = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False, description="seconds to wait for what follows"),
]
GivenLabel = Annotated[str | None, OneSpelling, Query(pattern=LABEL, description="what the image shows, if known")]
GivenId = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=f"^{ID_PATTERN}$",
        description="the image's id: sent again with the same one, it is learned once",
    ),
]


async def only_known(request: Request) -> None:
    """Raises Problem 422 for a query parameter that the route does not have (a misspelt one would do nothing), and for
    a query that is no UTF-8 (it would be read as something else).

    A coroutine though it waits for nothing: a plain function would cost each request a visit to another thread.
    """
    route: Any = request.scope["route"]
    _readable(request.scope["query_string"])
    known = {parameter.alias for parameter in route.dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        there = f"there are {', '.join(sorted(known))}" if known else "there are none"
        errors = [{"field": name[:100], "message": f"no such parameter; {there}"} for name in unknown[:10]]
        raise Problem(422, f"{errors[0]['field']}: {errors[0]['message']}", more={"errors": errors})


def _readable(query: bytes) -> None:
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError as error:
        raise Problem(422, f"query: is no UTF-8 ({error.reason}): percent-encode each value as UTF-8") from None
