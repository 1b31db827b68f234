"""API keys: whether a request carries one, and what to tell it when it does not."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

MISSING_KEY = "an API key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY"
WRONG_KEY = "the API key that was sent is none of PREQUEL_API_KEYS: check it, also for blanks and quotes around it"


class ApiKeys:
    """The keys that open a server. None at all: nobody is asked."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def match(self, given: bytes) -> bytes | None:
        """The key that was given, in the same time whichever it is and however much of it is right."""
        matches = [key for key in self._keys if hmac.compare_digest(sha256(key).digest(), sha256(given).digest())]
        return matches[0] if matches else None

    def problem(self, given: str) -> str | None:
        """What is wrong with the key that a request gave; None where it opens."""
        if not given:
            return MISSING_KEY
        return None if self.match(given.encode("latin-1", "replace")) else WRONG_KEY


def request_key(headers: Mapping[str, str]) -> str:
    """The key that a request's headers (names in any case) carry as Bearer or X-API-Key; empty: none."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key") or ""


def challenge(problem: str) -> str:
    """The WWW-Authenticate header of a 401: RFC 6750 tells a wrong key from a missing one."""
    return "Bearer" if problem == MISSING_KEY else 'Bearer error="invalid_token"'
