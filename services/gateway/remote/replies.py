"""The error message in the reply of another service."""

import httpx
import orjson


def error_detail(response: httpx.Response) -> str:
    """The ``detail`` of a problem+json reply, or the first 200 characters of any other."""
    try:
        return str(orjson.loads(response.content)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return response.text[:200]
