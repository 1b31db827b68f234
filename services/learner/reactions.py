"""What a model does when its error drifts: the option `drift=` of its spec."""

from typing import NamedTuple

from services.learner.models import table
from services.learner.models.spec import UnknownModel

REACTIONS = ("none", "reset")


class Reaction(NamedTuple):
    """``spec`` is what the table of models knows; ``reset``: the model begins anew after a drift."""

    spec: str
    reset: bool


def reaction(spec: str) -> Reaction:
    """Take `;drift=...` out of a model's spec. Raises UnknownModel for another reaction than there are."""
    parts = spec.split(";")
    chosen = [part.partition("=")[2].strip() for part in parts if part.partition("=")[0].strip() == "drift"]
    rest = ";".join(part for part in parts if part.partition("=")[0].strip() != "drift")
    if len(chosen) > 1 or not set(chosen) <= set(REACTIONS):
        raise UnknownModel(f"model {spec!r}: drift={','.join(chosen)} is no reaction; there are {', '.join(REACTIONS)}")
    return Reaction(rest, chosen == ["reset"])


def checked(spec: str, *, signed: bool) -> str:
    """A spec without its reaction, once the table knows it. Raises UnknownModel, for an unsigned pickle too."""
    model = reaction(spec).spec
    table.check(model)
    if table.pickled(model) and not signed:
        raise UnknownModel(f"{model} is stored as a pickle: set PREQUEL_SNAPSHOT_KEY to a long random text to sign it")
    return model
