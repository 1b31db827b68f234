"""Tables that repeat what the code says: settings, metrics, models."""

import typing
from collections.abc import Iterator

import annotated_types
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from prequel.services.learner.models.catalogue import MODELS, TRANSFORMS
from prequel.services.learner.models.options import Option
from prequel.shared.config import PREFIX, Settings
from prequel.shared.runtime.metrics import Metrics


def settings() -> str:
    rows = ["| variable | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{default}`" if default != "" else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {allowed(field)} | {field.description} |")
    return "\n".join(rows)


def allowed(field: FieldInfo) -> str:
    """The choices or the limits of a setting, in words."""
    if typing.get_origin(field.annotation) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(field.annotation) if choice)
    low, high = limits(field)
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    return f"from {low:,}" if low is not None else ""


def limits(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for each in field.metadata:
        if isinstance(each, annotated_types.Ge):
            low = typing.cast(float, each.ge)
        elif isinstance(each, annotated_types.Le):
            high = typing.cast(float, each.le)
    return low, high


def metrics() -> str:
    rows = ["| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in (value for value in vars(Metrics(CollectorRegistry())).values() if hasattr(value, "_labelnames")):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    return "\n".join(rows)


def models() -> str:
    head = ["| model | what it is | options (defaults) | leaves as |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *model_rows()])


def model_rows() -> Iterator[str]:
    for name, row in MODELS.items():
        options = ", ".join(f"`{option}`{default_of(each)}" for option, each in row.options.items())
        yield f"| `{name}` | {row.meaning} | {options} | {', '.join(row.leaves_as)} |"
    for name, transform in TRANSFORMS.items():
        shown = f"{name}:N" if transform.argument else name
        yield f"| `{shown}\\|...` | {transform.meaning} | | as the model behind it |"


def default_of(option: Option) -> str:
    layers = isinstance(option.default, tuple)
    shown = "-".join(map(str, option.default)) if layers else option.default
    return f" ({shown})" if option.default is not None else ""
