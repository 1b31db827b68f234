"""Who may do what: API keys, the page's session, and web pages of others that must not reach a local gateway."""

import hmac
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from prequel.services.gateway.http.problems import Problem, problem_response
from prequel.shared.api_keys import ApiKeys, challenge, request_key

COOKIE = "prequel_session"
SESSION_SECONDS = 30 * 24 * 3600
ALWAYS_OPEN = {"/healthz", "/readyz", "/v1/session"}
HARMLESS = {"GET", "HEAD", "OPTIONS"}


SESSION_OVER = "the page's session is over: enter the API key again"


class Keys(ApiKeys):
    """The API keys and the sessions made from them; sessions hold on every replica and end with their key."""

    def __init__(self, keys: Sequence[str], clock: Callable[[], float]) -> None:
        super().__init__(keys)
        self._clock = clock

    def session(self, key: bytes) -> str:
        """A cookie's value that stands for the key for 30 days and does not tell it."""
        issued = str(int(self._clock()))
        return f"{issued}.{_signed(key, issued)}"

    def valid(self, session: str) -> bool:
        issued, _, signature = session.partition(".")
        if not re.fullmatch(r"[0-9]{1,12}", issued) or not 0 <= self._clock() - int(issued) < SESSION_SECONDS:
            return False
        given = signature.encode("utf-8", "replace")
        matches = [hmac.compare_digest(_signed(key, issued).encode(), given) for key in self._keys]
        return any(matches)

    def objection(self, headers: Headers) -> str | None:
        """What is wrong with the key (Bearer or X-API-Key) or the session of a request; None where it may pass."""
        given, session = request_key(headers), cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if given or not session:
            return self.problem(given)
        return None if self.valid(session) else SESSION_OVER


class Access:
    """Lets a request pass, or answers 401 (no key) or 403 (sent by a web page of somebody else).

    Without keys a gateway trusts whoever reaches its loopback address, and a browser reaches it on behalf of any web
    page: so Host must be a loopback name (DNS rebinding), and what changes something must come from our own page
    (cross-site request forgery). ``is_page`` tells the page's own files: they hold no secret and ask for the key.
    """

    def __init__(self, app: ASGIApp, keys: Keys, host: str, public_url: str, is_page: Callable[[str], bool]) -> None:
        self._app, self._keys, self._host, self._is_page = app, keys, host, is_page
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := self._objection(scope)):
            return await problem_response(problem)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> Problem | None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if path in ("/healthz", "/readyz"):
            return None
        if not self._keys and not self._ours(headers.get("host", "")):
            return Problem(
                403,
                f"this gateway has no API keys, so it answers only to loopback names, not to Host "
                f"{headers.get('host', '')[:100]!r}: use http://127.0.0.1, or set PREQUEL_API_KEYS",
            )
        if method not in HARMLESS and not self._same_origin(headers):
            return Problem(
                403,
                "a page of another origin may not do this: send it from the gateway's own page. Where a proxy changes "
                f"the Host, set PREQUEL_PUBLIC_URL to the address that browsers see: {headers.get('origin', '')[:200]}",
            )
        if not self._keys or path in ALWAYS_OPEN or (method in HARMLESS and self._is_page(path)):
            return None
        objection = self._keys.objection(headers)
        return Problem(401, objection, {"WWW-Authenticate": challenge(objection)}) if objection else None

    def _same_origin(self, headers: Headers) -> bool:
        """Browsers send Origin with every request that changes something, and Sec-Fetch-Site; other clients neither.

        A proxy may have changed Host, which Origin then no longer names: what it is to browsers, the setting says.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        if self._public_url and origin.lower() == self._public_url:
            return True
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()

    def _ours(self, host: str) -> bool:
        name = _host_name(host)
        return name in ("localhost", self._host) or name.endswith(".localhost") or _loopback(name)


def _signed(key: bytes, issued: str) -> str:
    return hmac.new(key, f"prequel session {issued}".encode(), sha256).hexdigest()


def _host_name(host: str) -> str:
    """Without the port and the brackets of IPv6."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](:\d+)?|([^:]*)(:\d+)?", host)
    return ((found[1] or found[3] or "") if found else "").lower()


def _loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
