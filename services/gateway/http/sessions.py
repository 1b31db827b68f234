"""API keys, and the page's sessions that are signed with them."""

import hmac
import re
from collections.abc import Callable, Sequence
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from prequel.shared.api_keys import ApiKeys, request_key

COOKIE = "prequel_session"
SESSION_SECONDS = 30 * 24 * 3600
"""A month: shorter would ask people who label now and then for the key each time; a stolen cookie works until then."""

SESSION_EXPIRED = "the page's session has expired: enter the API key again"


class Credentials(ApiKeys):
    """What a request may prove its right with.

    A session is signed with its API key and stored nowhere: every replica accepts it, and it ends with the key.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float]) -> None:
        super().__init__(keys)
        self._clock = clock

    def new_session(self, key: bytes) -> str:
        """A cookie's value that stands for the key for 30 days and does not reveal it."""
        issued = str(int(self._clock()))
        return f"{issued}.{_signature(key, issued)}"

    def valid_session(self, session: str) -> bool:
        issued, _, signature = session.partition(".")
        if not re.fullmatch(r"[0-9]{1,12}", issued) or not 0 <= self._clock() - int(issued) < SESSION_SECONDS:
            return False
        # A list, so that every key is compared: the time taken must not tell which key was right, or how nearly.
        matches = [
            hmac.compare_digest(_signature(key, issued).encode(), signature.encode("utf-8", "replace"))
            for key in self._keys
        ]
        return any(matches)

    def request_problem(self, headers: Headers) -> str | None:
        """What is wrong with the key (Bearer or X-API-Key) or the session of a request; None where it may pass.

        A key counts before a session, so that a wrong key fails in a browser that has a session too.
        """
        key, session = request_key(headers), cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if key or not session:
            return self.problem(key)
        return None if self.valid_session(session) else SESSION_EXPIRED


def _signature(key: bytes, issued: str) -> str:
    return hmac.new(key, f"prequel session {issued}".encode(), sha256).hexdigest()
