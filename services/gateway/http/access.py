"""Who may send a request: holders of an API key or a session, and without keys only pages of the gateway itself."""

import re
from collections.abc import Callable
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from prequel.services.gateway.http.problems import Problem, problem_response
from prequel.services.gateway.http.sessions import Credentials
from prequel.shared.api_keys import challenge

PROBE_PATHS = {"/healthz", "/readyz"}
"""For orchestrators, whose probes send neither a key nor a host name that the gateway knows."""
PUBLIC_PATHS = {*PROBE_PATHS, "/v1/session"}
"""They need no key: a client asks for a session here, with the key in the body."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
"""They change nothing (RFC 9110), so that a page of another origin gains nothing by sending them."""


class AccessControl:
    """Lets a request pass, or answers 401 (no valid key) or 403 (sent by a web page of another origin).

    Without keys a gateway trusts whoever reaches its loopback address, and a browser reaches it on behalf of any web
    page: so Host must be a loopback name (DNS rebinding), and what changes something must come from the gateway's own
    page (cross-site request forgery). ``is_page`` says whether a path is one of the page's files: they contain no
    secret, and the page has to be there to ask for the key.
    """

    def __init__(
        self, app: ASGIApp, *, credentials: Credentials, host: str, public_url: str, is_page: Callable[[str], bool]
    ) -> None:
        self._app, self._credentials, self._is_page = app, credentials, is_page
        self._host, self._public_url = host, public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := self._problem(scope)):
            return await problem_response(problem)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if path in PROBE_PATHS:
            return None
        if not self._credentials and not self._is_own_host(headers.get("host", "")):
            return _foreign_host(headers.get("host", ""))
        if method not in SAFE_METHODS and not self._same_origin(headers):
            return _foreign_origin(headers.get("origin", ""))
        if not self._credentials or path in PUBLIC_PATHS or (method in SAFE_METHODS and self._is_page(path)):
            return None
        detail = self._credentials.request_problem(headers)
        return _unauthorized(detail, headers) if detail else None

    def _same_origin(self, headers: Headers) -> bool:
        """Browsers send Origin with every request that changes something, and Sec-Fetch-Site; other clients neither.

        Behind a proxy that changes Host, Origin names what browsers see: the public URL of the settings.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        if self._public_url and origin.lower() == self._public_url:
            return True
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()

    def _is_own_host(self, host: str) -> bool:
        name = _host_name(host)
        return name in ("localhost", self._host) or name.endswith(".localhost") or _is_loopback(name)


def _unauthorized(detail: str, headers: Headers) -> Problem:
    """A person who opens /docs in a browser cannot send a header, but can sign in on the page."""
    remedy = "; in a browser, enter it at / first" if "text/html" in headers.get("accept", "") else ""
    return Problem(401, detail + remedy, {"WWW-Authenticate": challenge(detail)})


def _foreign_host(host: str) -> Problem:
    return Problem(
        403,
        f"this gateway has no API keys, so it answers only to loopback names, not to Host {host[:100]!r}: "
        "use http://127.0.0.1, or set PREQUEL_API_KEYS",
    )


def _foreign_origin(origin: str) -> Problem:
    return Problem(
        403,
        f"a page of another origin ({origin[:200]}) may not do this: send the request from the gateway's own page. "
        "If a proxy changes the Host header, set PREQUEL_PUBLIC_URL to the address that browsers see",
    )


def _host_name(host: str) -> str:
    """Without the port and the brackets of IPv6."""
    parts = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](:\d+)?|([^:]*)(:\d+)?", host)
    return ((parts[1] or parts[3] or "") if parts else "").lower()


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
