"""The back-tests of streams, as their learners have stored them."""

from typing import Any

import orjson
from pydantic import ValidationError

from prequel.services.gateway.view.store_reads import StoreReads
from prequel.shared import backtests
from prequel.shared.backtests import DONE, Backtest
from prequel.shared.events.headers import timestamp

OWN_FIELDS = {"job", "tries", "asked_at", "ended_at"}
"""Fields that only learners need, and times, which are answered as text."""


class StreamBacktests:
    """Read from the store each time: learners write every change there before they answer. Raises StoreUnavailable."""

    def __init__(self, store: StoreReads) -> None:
        self._store = store

    async def all(self, stream: str) -> list[dict[str, Any]]:
        """Those that are kept of a stream, the newest first, without their results."""
        keys = await self._store.keys(backtests.prefix(stream))
        found = await self._store.get_all(keys, lambda values: [*filter(None, map(_parse, values.values()))])
        return [summary(each) for each in sorted(found, key=lambda each: each.asked_at, reverse=True)]

    async def get(self, stream: str, id: str) -> dict[str, Any] | None:
        """One with its result, null before there is one; None where there is no such back-test."""
        backtest = _parse(await self._store.get(backtests.key(stream, id)))
        if backtest is None:
            return None
        result = await self._store.get(backtests.result_key(stream, id)) if backtest.status == DONE else None
        return summary(backtest) | {"result": orjson.Fragment(result) if result else None}


def summary(backtest: Backtest) -> dict[str, Any]:
    """As it is answered, without its result."""
    ended = backtest.ended_at
    times = {"asked_at": timestamp(backtest.asked_at), "ended_at": timestamp(ended) if ended is not None else None}
    return backtest.model_dump(exclude=OWN_FIELDS) | times


def _parse(raw: bytes | None) -> Backtest | None:
    try:
        return Backtest.model_validate_json(raw or b"")
    except ValidationError:  # None there, or one of another version.
        return None
