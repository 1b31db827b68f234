"""The application's description at /openapi.json, with what routes do not declare: problems and API keys."""

from typing import Any

from fastapi import FastAPI

from prequel.services.gateway.http.schemas import ProblemAnswer


class DescribedApi(FastAPI):
    """FastAPI, but for the description.

    Every call declares all three ways in: without keys, with a Bearer token, with X-API-Key. Only the settings say
    whether this gateway has keys, and the description is the same for all gateways of a version.
    """

    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        description["components"]["schemas"]["ProblemAnswer"] = ProblemAnswer.model_json_schema()
        description["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        description["security"] = [{}, {"bearer": []}, {"key": []}]
        return description
