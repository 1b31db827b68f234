"""The model that is replayed beside models which all reset at a drift."""

from prequel.services.learner.fold.drift.reactions import reaction

COMPANION_MODEL = "ncm"
"""A model that never resets. An example is scored where any model of its stream knows a class: just after a reset no
model of the replay would know one, though a model of the live stream did. Nearest class means cost least."""


def with_companion(specs: tuple[str, ...]) -> tuple[str, ...]:
    """The models to replay for those that join a stream."""
    return specs if any(reaction(spec).kind != "reset" for spec in specs) else (*specs, COMPANION_MODEL)
