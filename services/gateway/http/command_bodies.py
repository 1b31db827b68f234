"""The bodies of commands: one model for each, with the fields that it takes, and an example."""

from typing import Annotated, Any, Literal, get_args

from fastapi import Body
from fastapi.openapi.models import Example
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from prequel.services.gateway.http.parameters import LABEL, MAX_MODEL, NormalizedLabel
from prequel.shared.backbone_specs import RULE, parse_spec
from prequel.shared.events.names import ID_PATTERN, id_hashes

CATCH_UP = "stream.catch-up"
"""Written by the learner that has replayed the log, never given by a person: at its position the replay takes over."""
LEARNERS_COMMAND = "learners_command"
"""The type of error for it."""
MAX_IDS = 1_000
"""Examples that one command can forget. Each is looked for in the window while events wait: a thousand take some
milliseconds. More are several commands."""
MAX_TITLE = 128
"""Characters: as a label, a line of the page."""

Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
Label = Annotated[str, NormalizedLabel, Field(pattern=LABEL)]
Spec = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_MODEL),
    Field(description="a model, as in `ridge;width=512`"),
]
Rebuilt = Annotated[
    Literal["log"] | None,
    Field(None, description="`log`: also where retention has removed the beginning, by replaying what the log has"),
]


class CommandBody(BaseModel):
    """What every command may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: str
    id: Id | None = Field(None, description="a command that is sent again with the same id counts once")
    by: Annotated[str, Field(max_length=128)] | None = Field(None, description="who gives the command")

    def arguments(self) -> dict[str, Any]:
        """The fields of this command alone, as far as they were given, by the names that they have in JSON."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude=set(CommandBody.model_fields))


class CreateStream(CommandBody):
    """Create a stream before its first image."""

    do: Literal["stream.create"]
    backbone: str | None = Field(None, description="the backbone of its images, or the beginning of its id")

    @field_validator("backbone")
    @classmethod
    def _backbone(cls, spec: str | None) -> str | None:
        if spec and parse_spec(spec) is None:
            raise ValueError(f"must be {RULE}")
        return spec


class DeleteStream(CommandBody):
    """Delete the stream and all that was learned in it."""

    do: Literal["stream.delete"]


class SetStream(CommandBody):
    """Change settings of this stream, from here on; null takes the learner's own again."""

    do: Literal["stream.set"]
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TITLE)] | None = Field(
        None, description="what people call the stream"
    )
    goal: Annotated[float, Field(gt=0, le=1)] | None = Field(None, description="the accuracy that is enough")
    window: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="examples that a label can still reach"
    )
    accuracy_window: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="scored examples in the windowed accuracy"
    )
    unknown_probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="the champion abstains below this probability; 0: never"
    )
    unknown_distance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="the champion abstains this many class variances from every class mean; 0: never"
    )
    set_level: Annotated[float, Field(ge=0, le=0.999)] | None = Field(
        None, description="how often the set beside a prediction holds the truth, 0.5 to 0.999; 0: automatic"
    )

    @field_validator("title")
    @classmethod
    def _one_line(cls, title: str | None) -> str | None:
        if title and not title.isprintable():
            raise ValueError("must be one line of text")
        return title

    @field_validator("set_level")
    @classmethod
    def _level_of_sets(cls, value: float | None) -> float | None:
        if value and value < 0.5:
            raise ValueError("must be 0 or from 0.5 to 0.999")
        return value

    @model_validator(mode="after")
    def _something(self) -> "SetStream":
        if not self.arguments():
            names = ", ".join(name for name in type(self).model_fields if name not in CommandBody.model_fields)
            raise ValueError(f"names no setting; there are {names}")
        return self


class SwitchBackbone(CommandBody):
    """Learn from the features of another backbone, which `prequel reextract` has made, as if they had come first."""

    do: Literal["stream.switch"]
    backbone: Annotated[str, Field(min_length=1, description="its id, or the beginning of it")]
    from_: Rebuilt = Field(None, alias="from")

    @field_validator("backbone")
    @classmethod
    def _backbone(cls, spec: str) -> str:
        if parse_spec(spec) is None:
            raise ValueError(f"must be {RULE}")
        return spec


class AddModel(CommandBody):
    """Add a challenger: `log`, as if it had been there from the beginning; `now`, with nothing learned yet."""

    do: Literal["models.add"]
    model: Spec
    from_: Literal["log", "now"] = Field("log", alias="from")


class RemoveModel(CommandBody):
    """Remove a challenger, with its metrics."""

    do: Literal["models.remove"]
    model: Spec


class PromoteModel(CommandBody):
    """Make a challenger the champion, whose answers are served."""

    do: Literal["models.promote"]
    model: Spec


class RebuildModels(CommandBody):
    """Make every model as if each label had been right from the beginning."""

    do: Literal["models.rebuild"]
    from_: Rebuilt = Field(None, alias="from")


class RenameClass(CommandBody):
    """Give a class another name; where a class has that name, the two become one."""

    do: Literal["class.rename", "class.merge"]
    from_: Label = Field(alias="from")
    to: Label

    @field_validator("to")
    @classmethod
    def _another(cls, to: str, info: Any) -> str:
        if to == info.data.get("from_"):
            raise ValueError(f"is the same class, {to!r}: name another")
        return to


class DeleteClass(CommandBody):
    """Take back all labels of a class; it is gone from every list."""

    do: Literal["class.delete"]
    label: Label
    from_: Rebuilt = Field(None, alias="from")


class ForgetExamples(CommandBody):
    """Take images out of models, window and metrics, as if they had never come."""

    do: Literal["example.forget"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS, description="ids of images")]
    from_: Rebuilt = Field(None, alias="from")

    @field_validator("ids")
    @classmethod
    def _each_once(cls, ids: list[str]) -> list[str]:
        if len(set(ids)) < len(ids):
            twice = next(id for at, id in enumerate(ids) if id in ids[:at])
            raise ValueError(f"names {twice} twice")
        return ids

    def arguments(self) -> dict[str, Any]:
        """With hashes in the place of the ids: what the learner refuses stays in the log, with all that it says."""
        others = {name: value for name, value in super().arguments().items() if name != "ids"}
        return {"hashed": [id_hashes(id) for id in self.ids], **others}


class UndoCommand(CommandBody):
    """Take a command back, as if it had not been given."""

    do: Literal["undo"]
    command: Id = Field(description="the id of the command, as in `GET .../history`")
    from_: Rebuilt = Field(None, alias="from")


def _refuse_learners_command(body: object) -> object:
    if isinstance(body, dict) and body.get("do") == CATCH_UP:
        raise PydanticCustomError(
            LEARNERS_COMMAND, "stream.catch-up is written by learners only; models.rebuild asks them to replay the log"
        )
    return body


_Commands = (
    CreateStream
    | DeleteStream
    | SetStream
    | SwitchBackbone
    | AddModel
    | RemoveModel
    | PromoteModel
    | RebuildModels
    | RenameClass
    | DeleteClass
    | ForgetExamples
    | UndoCommand
)
EXAMPLES: dict[str, dict[str, Any]] = {
    "add a model": {"do": "models.add", "model": "ridge"},
    "add a model that learns from now on": {"do": "models.add", "model": "slda;decay=0.001", "from": "now"},
    "promote a model": {"do": "models.promote", "model": "ridge"},
    "remove a model": {"do": "models.remove", "model": "logistic"},
    "rebuild the models": {"do": "models.rebuild"},
    "rename a class": {"do": "class.rename", "from": "moggy", "to": "cat", "by": "ann"},
    "merge two classes": {"do": "class.merge", "from": "kitten", "to": "cat"},
    "delete a class": {"do": "class.delete", "label": "blurred"},
    "forget images": {"do": "example.forget", "ids": ["cam1-0001", "cam1-0002"]},
    "change settings": {"do": "stream.set", "title": "Pets", "goal": 0.95, "window": None},
    "switch to another backbone": {"do": "stream.switch", "backbone": "mobilenetv2"},
    "undo a command": {"do": "undo", "command": "0b9d4f2c6a1e4d0f8a55c9d3e7b1f264"},
    "create the stream": {"do": "stream.create", "backbone": "mobilenetv2"},
    "delete the stream": {"do": "stream.delete"},
}
"""Every command at least once, for the description."""
AnyCommand = Annotated[
    Annotated[_Commands, Discriminator("do")],
    BeforeValidator(_refuse_learners_command),
    Body(openapi_examples={name: Example(value=body) for name, body in EXAMPLES.items()}),
]
"""The type of a route's body."""

COMMANDS = tuple(name for kind in get_args(_Commands) for name in get_args(kind.model_fields["do"].annotation))
"""The names of all commands that can be given."""
