"""Labels as sources have them: checked, and in the one spelling that a class has."""

from prequel.services.producer.errors import SourceError
from prequel.shared.events.names import LABEL_RULE, normal_label, valid_label


def checked_label(text: str, origin: str) -> str:
    """The label in Unicode's composed form, so that the same word is the same class on every system.

    Raises SourceError, naming the ``origin`` of the label: a file, or a line of a table.
    """
    label = normal_label(text)
    if not valid_label(label) or any("\ud800" <= character <= "\udfff" for character in label):
        raise SourceError(
            f"{origin}: {text[:150]!r} ({len(label)} characters) cannot be a label: use {LABEL_RULE}, valid Unicode; "
            "rename it, or stream with --labels none"
        )
    return label
