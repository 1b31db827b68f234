"""API keys: whether a request carries a valid one, and the answer when it does not."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

MISSING_KEY = "an API key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY"
WRONG_KEY = "the API key is not one of PREQUEL_API_KEYS: check it, also for spaces and quotes around it"


class ApiKeys:
    """The keys that a server accepts. Without any, it needs none."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def match(self, key: bytes) -> bytes | None:
        """The accepted key that equals ``key``, or None.

        All are compared, by digests of one length, in constant time: how long it takes says nothing about the keys.
        """
        matches = [known for known in self._keys if hmac.compare_digest(sha256(known).digest(), sha256(key).digest())]
        return matches[0] if matches else None

    def problem(self, key: str) -> str | None:
        """What is wrong with the key of a request ("" if it has none); None if it is accepted."""
        if not key:
            return MISSING_KEY
        return None if self.match(key.encode("latin-1", "replace")) else WRONG_KEY


def request_key(headers: Mapping[str, str]) -> str:
    """The key in a request's headers (names in small letters), as Bearer or X-API-Key; "" if there is none."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key") or ""


def challenge(problem: str) -> str:
    """The WWW-Authenticate header of a 401: RFC 6750 distinguishes a wrong key from a missing one."""
    return "Bearer" if problem == MISSING_KEY else 'Bearer error="invalid_token"'
