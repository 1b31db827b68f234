"""The ids of what one request sends: those that it gives, else made of its Idempotency-Key, else new ones."""

from collections.abc import Callable, Sequence

from prequel.services.gateway.http.problems import invalid
from prequel.shared.events.names import valid_id


def chosen_ids(given: Sequence[str | None], key: str | None, new_id: Callable[[], str]) -> list[str]:
    """An id for each, in their order; several get the key with .1, .2, ... Raises Problem 422 for too long a key."""
    others = [new_id() for _ in given] if key is None else _numbered(key, len(given))
    return [id or other for id, other in zip(given, others, strict=True)]


def _numbered(key: str, count: int) -> list[str]:
    ids = [key] if count == 1 else [f"{key}.{number}" for number in range(1, count + 1)]
    if not valid_id(ids[-1]):
        raise invalid("Idempotency-Key", f"too long for {count} ids, which are the key with .1, .2, ... appended")
    return ids
