"""Back-tests in the store: the newest of each stream, and their results, each under a key of its own."""

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from prequel.shared import backtests
from prequel.shared.backtests import ENDED, Backtest
from prequel.shared.store.base import Store

MAX_KEPT = 20
"""Back-tests of a stream that are kept, the newest. A result is some hundred kilobytes: a thousand streams with twice
as many would take gigabytes of Redis; with half as many, an afternoon of trying things would not fit."""


class StoredBacktests:
    """Every call blocks and raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, stream: str, id: str) -> Backtest | None:
        """One; None where there is none, or one that another version of Prequel wrote."""
        return _parse(self._store.get(backtests.key(stream, id)))

    def all(self, stream: str) -> list[Backtest]:
        """Those of a stream, the oldest first."""
        return self._read(self._store.keys_with_values(backtests.prefix(stream)))

    def unfinished(self, among: Callable[[str], bool]) -> list[Backtest]:
        """Those that wait or run, of streams for whose names ``among`` is true, the oldest first."""
        keys = self._store.keys_with_values(backtests.PREFIX)
        found = self._read([key for key in keys if among(key.split("/")[1])])
        return [each for each in found if each.status not in ENDED]

    def put(self, backtest: Backtest, result: bytes | None = None) -> None:
        """Write one, and before it its result: whoever sees that it is done finds that. Then forget what is too old."""
        if result is not None:
            self._store.put(backtests.result_key(backtest.stream, backtest.id), result)
        self._store.put(backtests.key(backtest.stream, backtest.id), backtest.model_dump_json().encode())
        if backtest.status in ENDED:
            self.delete([each for each in self.all(backtest.stream) if each.status in ENDED][:-MAX_KEPT])

    def delete(self, forgotten: Sequence[Backtest]) -> None:
        """Forget some, with their results."""
        names = [(each.stream, each.id) for each in forgotten]
        if names:
            self._store.delete([key(*name) for name in names for key in (backtests.key, backtests.result_key)])

    def _read(self, keys: Sequence[str]) -> list[Backtest]:
        found = filter(None, map(_parse, self._store.get_all(keys).values()))
        return sorted(found, key=lambda backtest: (backtest.asked_at, backtest.id))


def _parse(raw: bytes | None) -> Backtest | None:
    try:
        return Backtest.model_validate_json(raw or b"")
    except ValidationError:
        return None
