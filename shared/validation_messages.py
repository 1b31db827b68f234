"""Messages for wrong values, in words for people who know neither regular expressions nor types."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from prequel.shared.events.names import (
    ID_PATTERN,
    ID_RULE,
    LABEL_PATTERN,
    LABEL_RULE,
    POSITION_PATTERN,
    POSITION_RULE,
    STREAM_PATTERN,
    STREAM_RULE,
    WHY_PATTERN,
    WHY_RULE,
)
from prequel.shared.opinions import PLACE, PLACE_RULE

_MESSAGES = {
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
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} or more characters",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have {min_length} or more items",
    "extra_forbidden": "is unknown here",
    "union_tag_not_found": "is missing",
}
"""By pydantic's type of error. Other types keep pydantic's own message."""


def explain(problem: Mapping[str, Any]) -> str:
    """The message for one of pydantic's errors; it follows the name of the wrong field and a colon."""
    context = problem.get("ctx") or {}
    if problem["type"] == "string_pattern_mismatch" and (rule := _rule_of(str(context.get("pattern")))):
        return f"must be {rule}"
    if problem["type"] == "union_tag_invalid":
        return _unknown_tag(str(context["tag"]), [tag.strip("' ") for tag in context["expected_tags"].split(",")])
    if problem["type"] in _MESSAGES:
        return _MESSAGES[problem["type"]].format(**context)
    return str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "must", 1)


def _unknown_tag(tag: str, known: list[str]) -> str:
    nearest = get_close_matches(tag, known, 1)
    return f"there is no {tag[:100]!r}{f' (did you mean {nearest[0]}?)' if nearest else ''}; use {', '.join(known)}"


def _rule_of(pattern: str) -> str | None:
    """The rule in words for the pattern of a name or a place; None for another pattern."""
    rules = {
        STREAM_PATTERN: STREAM_RULE,
        ID_PATTERN: ID_RULE,
        LABEL_PATTERN: LABEL_RULE,
        WHY_PATTERN: WHY_RULE,
        POSITION_PATTERN: POSITION_RULE,
        PLACE.strip("^$"): PLACE_RULE,
    }
    # Pydantic's own regular expressions know no surrogates, so models use a label's pattern without them.
    return {known.replace(r"\ud800-\udfff", ""): rule for known, rule in rules.items()}.get(pattern.strip("^$"))
