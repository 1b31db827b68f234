"""The classes that a report or a figure names."""

from collections.abc import Mapping

from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.status import MAX_LABELS, ClassStatus


def frequent(classes: Mapping[str, ClassStatus]) -> list[tuple[str, ClassStatus]]:
    """The MAX_LABELS most frequent, in natural order."""
    most = sorted(classes.items(), key=lambda item: (-item[1].support, natural_key(item[0])))[:MAX_LABELS]
    return sorted(most, key=lambda item: natural_key(item[0]))
