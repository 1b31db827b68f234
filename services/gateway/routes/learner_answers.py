"""What a stream's learner answers, or why none does: there is no such stream, or its learner is only starting."""

from collections.abc import Awaitable
from typing import TypeVar

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared.queries import UnknownStream

Answered = TypeVar("Answered")


async def learner_answer(gateway: Gateway, stream: str, asked: Awaitable[Answered]) -> Answered:
    """What was asked. Raises what it raises, but for an unknown stream Problem 404, with the nearest name.

    Raises LearnerUnavailable where its status remains: then its learner has not restored it yet. The status of a stream
    that was deleted goes a little later than the stream.
    """
    try:
        return await asked
    except UnknownStream:
        if await gateway.statuses.remains(stream):
            raise LearnerUnavailable(f"no learner that answers has stream {stream} now: one is starting") from None
        raise await gateway.known_streams.not_found(stream) from None
