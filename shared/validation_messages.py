"""What a validation says of a wrong value, in words for people who know no patterns and no types."""

from collections.abc import Mapping
from typing import Any

from prequel.shared.events.names import ID_PATTERN, ID_RULE, LABEL_PATTERN, LABEL_RULE, STREAM_PATTERN, STREAM_RULE

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "string_too_long": "must have {max_length} characters at most",
    "too_long": "must have {max_length} entries at most",
    "too_short": "must have {min_length} or more entries",
    "extra_forbidden": "is not known here",
}
"""By pydantic's names of what can be wrong. Of others its own message is told."""


def explain(problem: Mapping[str, Any]) -> str:
    """One of pydantic's errors, to stand after the name of what is wrong and a colon."""
    context = problem.get("ctx") or {}
    if problem["type"] == "string_pattern_mismatch" and (words := _named(str(context.get("pattern")))):
        return f"must be {words}"
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]].format(**context)
    return str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "must", 1)


def _named(pattern: str) -> str | None:
    """What the pattern of a name asks for. A label's stands here and there without the surrogates."""
    names = {STREAM_PATTERN: STREAM_RULE, ID_PATTERN: ID_RULE, LABEL_PATTERN: LABEL_RULE}
    return {key.replace(r"\ud800-\udfff", ""): words for key, words in names.items()}.get(pattern.strip("^$"))
