"""A stream's model as a file: from its learner as arrays, and made into the other forms by this process."""

from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.shared.model_files import ModelConverter, ModelFormat, no_converter
from prequel.shared.queries import Queries
from prequel.shared.runtime.deadlines import MODEL_CONVERSION_S, QUERY_S

MAX_CONVERSIONS = 1
"""At one time: each is a process of its own with Keras and a backbone in it, hundreds of megabytes."""


class ModelFiles:
    """Call it on the event loop; what blocks runs on threads."""

    def __init__(self, queries: Queries, convert: ModelConverter | None) -> None:
        self._queries, self._convert = queries, convert or no_converter
        self._calls = BlockingCalls("gateway-models", 2, QUERY_S)
        self._conversions = BlockingCalls("gateway-conversions", MAX_CONVERSIONS, MODEL_CONVERSION_S)

    async def get(self, stream: str, spec: str, format: ModelFormat) -> bytes:
        """Raises UnknownStream, ModelCannotLeave, CannotConvert, LearnerUnavailable, StoreUnavailable, CallTimeout."""
        data = await self._calls.run(lambda: self._queries.model_file(stream, spec))
        return data if format == "npz" else await self._conversions.run(lambda: self._convert(data, format))

    def close(self) -> None:
        for calls in (self._calls, self._conversions):
            calls.close()
