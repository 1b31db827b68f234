"""The parts of one request, which a gateway takes or refuses as a whole: which of them it refuses, and why."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from prequel.services.producer.errors import GatewayError, RequestRefused
from prequel.shared.backbone_specs import NOT_EXTRACTABLE

NOT_FOUND = 404
"""Refuses all parts for a reason that none of them has: there is no such stream."""

Part = TypeVar("Part")
Answer = dict[str, Any]
Answers = list[Answer | RequestRefused]
"""What the gateway answers to each part of a request, or why it refused this part."""


def answers(post: Callable[[Sequence[Part]], list[Answer]], parts: Sequence[Part]) -> Answers:
    """The answers to the parts of one request, which ``post`` sends, in their order.

    Where it is refused, its halves are sent, and so on: few requests find the one part that is invalid among many.
    Raises RequestRefused where that concerns all parts, and what else ``post`` raises.
    """
    try:
        answered = post(parts)
    except RequestRefused as refused:
        if refused.status_code == NOT_FOUND:
            raise
        if len(parts) == 1 or refused.reason == NOT_EXTRACTABLE:
            return [refused] * len(parts)
        half = len(parts) // 2
        return answers(post, parts[:half]) + answers(post, parts[half:])
    if len(answered) != len(parts):
        raise GatewayError(
            f"the gateway answers {len(answered)} parts of a request that had {len(parts)}: it is of another version "
            "of Prequel; use both of one version"
        )
    return list(answered)
