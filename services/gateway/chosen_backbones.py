"""The backbones that clients choose for new streams: checked, and noted for extractors until learners publish them."""

from collections.abc import Callable

from prequel.services.gateway.blocking_calls import BlockingCalls, CallTimeout
from prequel.services.gateway.http.problems import invalid, unavailable
from prequel.shared.backbone_specs import chosen_key
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.store.base import Store, StoreUnavailable


class ChosenBackbones:
    """Call it on the event loop. ``problem`` says why no backbone can be chosen by a spec; empty where one can."""

    def __init__(self, store: Store, problem: Callable[[str], str]) -> None:
        self._store, self._problem = store, problem
        self._calls = BlockingCalls("gateway-backbones", 1, STORE_READ_S)

    async def choose(self, stream: str, backbone: str) -> None:
        """Call it before the command that creates the stream is appended: its first image may follow at once.

        Raises Problem: 422 for what is no backbone, 503 where the store does not take it.
        """
        if problem := self._problem(backbone):
            raise invalid("backbone", problem)
        try:
            await self._calls.run(lambda: self._store.put(chosen_key(stream), backbone.encode()))
        except (StoreUnavailable, CallTimeout) as error:
            raise unavailable(f"the store did not take the choice of a backbone ({error}): nothing was done") from error

    async def forget(self, stream: str) -> None:
        """Call it once the command that deletes the stream is appended. Where the store does not answer, the choice
        stays; the next status of a stream of this name replaces it."""
        try:
            await self._calls.run(lambda: self._store.delete([chosen_key(stream)]))
        except (StoreUnavailable, CallTimeout):
            return

    def close(self) -> None:
        self._calls.close()
