"""HTTP to servers on this machine, without a proxy and without a TLS context, which would cost each client 20 ms."""

from collections.abc import Mapping
from typing import Any

import httpx


def client(base_url: str = "", *, timeout: float, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """The caller closes it. For http:// only: there is no certificate to verify."""
    return httpx.Client(base_url=base_url, timeout=timeout, headers=headers, verify=False, trust_env=False)


def get(url: str, *, timeout: float, params: Mapping[str, Any] | None = None) -> httpx.Response:
    """Raises httpx.TransportError where no server answers."""
    with client(timeout=timeout) as once:
        return once.get(url, params=params)


def post(url: str, *, timeout: float, json: object, params: Mapping[str, Any] | None = None) -> httpx.Response:
    """Raises httpx.TransportError where no server answers."""
    with client(timeout=timeout) as once:
        return once.post(url, json=json, params=params)
