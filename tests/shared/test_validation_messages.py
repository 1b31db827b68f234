"""Messages for wrong values contain no regular expression, and no word of pydantic's own."""

import re
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from prequel.services.gateway.http.parameters import LABEL
from prequel.shared.events.names import (
    ID_PATTERN,
    ID_RULE,
    LABEL_RULE,
    STREAM_PATTERN,
    STREAM_RULE,
    WHY_PATTERN,
    WHY_RULE,
)
from prequel.shared.validation_messages import explain


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    needed: str
    text: str = ""
    short: Annotated[str, Field(max_length=3)] = ""
    whole: int = 0
    number: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
    above: Annotated[float, Field(gt=0, lt=1)] = 0.5
    flag: bool = False
    several: Annotated[list[int], Field(min_length=1, max_length=2)] = [0]
    choice: Literal["auto", "fp16"] = "auto"
    stream: Annotated[str, Field(pattern=f"^{STREAM_PATTERN}$")] = "pets"
    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")] = "1"
    label: Annotated[str, Field(pattern=LABEL)] = "cat"
    why: Annotated[str, Field(pattern=f"^{WHY_PATTERN}$")] = "random"
    own: str = ""

    @field_validator("own")
    @classmethod
    def _own(cls, value: str) -> str:
        if value:
            raise ValueError("use a time (12h, 30d)")
        return value


WRONG: dict[str, tuple[object, str]] = {
    "text": (1, "must be text"),
    "short": ("four", "must have at most 3 characters"),
    "whole": ("x", "must be a whole number"),
    "number": (61.0, "must be 60.0 or less"),
    "above": (0.0, "must be more than 0.0"),
    "flag": ("x", "must be true or false"),
    "several": ([1, 2, 3], "must have at most 2 items"),
    "choice": ("fp8", "must be 'auto' or 'fp16'"),
    "stream": ("Pets", f"must be {STREAM_RULE}"),
    "id": ("ä", f"must be {ID_RULE}"),
    "label": ("a\nb", f"must be {LABEL_RULE}"),
    "why": ("Because", f"must be {WHY_RULE}"),
    "own": ("10x", "use a time (12h, 30d)"),
    "labl": ("cat", "is unknown here"),
}


def message(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate(values)
    (problem,) = caught.value.errors()
    return explain(problem)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_explained_in_plain_words(name: str) -> None:
    value, expected = WRONG[name]
    assert message(needed="", **{name: value}) == expected
    assert not re.search(r"Input should|\[|\\x", expected)


def test_a_missing_value_is_reported() -> None:
    assert message() == "is missing"


def test_other_limits_are_explained() -> None:
    assert message(needed="", number=-1.0) == "must be 0.0 or more"
    assert message(needed="", number=float("nan")) == "must be a finite number"
    assert message(needed="", several=[]) == "must have 1 or more items"
