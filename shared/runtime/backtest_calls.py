"""The operations server's calls for back-tests: what a gateway asks a learner to start, or to end."""

from typing import Any

from pydantic import ValidationError

from prequel.shared.backtests import Backtest, BacktestRefused, BacktestRequest
from prequel.shared.queries import Queries, UnknownStream
from prequel.shared.runtime.http_server import Reply, RequestError
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.validation_messages import explain


def start_backtest(queries: Queries, stream: str, query: dict[str, Any]) -> Reply:
    """``query`` has the fields of a BacktestRequest. Raises RequestError."""
    try:
        request = BacktestRequest.model_validate(query)
        return _reply(queries.start_backtest(stream, request))
    except ValidationError as error:
        problem = error.errors()[0]
        raise RequestError(422, f"{problem['loc'][0]}: {explain(problem)}") from None
    except BacktestRefused as refused:
        raise RequestError(422 if refused.field else 409, _detail(refused)) from None
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None
    except StoreUnavailable as error:
        raise RequestError(503, f"the store cannot be reached: {error}") from None


def end_backtest(queries: Queries, stream: str, query: dict[str, Any]) -> Reply:
    """``query`` has its ``id``; null is the answer where there is none. Raises RequestError."""
    try:
        return _reply(queries.end_backtest(stream, str(query.get("id"))))
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None
    except StoreUnavailable as error:
        raise RequestError(503, f"the store cannot be reached: {error}") from None


def refused(status: int, detail: str) -> BacktestRefused:
    """The inverse of what a refusal is answered with."""
    field, _, why = detail.partition(": ") if status == 422 else ("", "", detail)
    return BacktestRefused(why, field)


def _reply(backtest: Backtest | None) -> Reply:
    return Reply(200, b"null" if backtest is None else backtest.model_dump_json().encode())


def _detail(refused: BacktestRefused) -> str:
    return f"{refused.field}: {refused.why}" if refused.field else refused.why
