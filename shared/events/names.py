"""What streams, images, labels and commands may be called: a pattern for machines, a rule for people, a check."""

import re
import unicodedata
from hashlib import blake2b
from typing import TypeGuard

STREAM_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
ID_PATTERN = r"[A-Za-z0-9._:-]{1,128}"
WHY_PATTERN = r"[a-z][a-z0-9-]{0,31}"
COMMAND_PATTERN = r"[a-z][a-z-]{0,31}(\.[a-z][a-z-]{0,31}){0,3}"
POSITION_PATTERN = r"\d{1,9}:\d{1,18}"
LABEL_PATTERN = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}"

# The same in words, for messages: "must be ...".
STREAM_RULE = "1 to 63 small letters, digits, dots, hyphens and underscores, the first a letter or a digit"
ID_RULE = "1 to 128 letters (a-z, A-Z), digits, dots, colons, hyphens and underscores"
POSITION_RULE = "a position in the log, which is its partition and an offset, as in 0:57"
LABEL_RULE = "1 to 128 characters, no control characters"
WHY_RULE = "a word of 1 to 32 small letters, digits and hyphens that begins with a letter, like random or correction"

_STREAM, _ID, _LABEL = re.compile(STREAM_PATTERN), re.compile(ID_PATTERN), re.compile(LABEL_PATTERN)
DIGEST_CHARACTERS, SHORT_HASH_BYTES = 32, 8
_DIGEST, _HASHES = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{48}")
_COMMAND, _WHY = re.compile(COMMAND_PATTERN), re.compile(WHY_PATTERN)


def valid_stream(text: str) -> bool:
    return _STREAM.fullmatch(text) is not None


def valid_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def valid_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def id_digest(id: str) -> str:
    """What may be kept of an image's id that is forgotten: equal ids stay equal, and it is not legible.

    No secret is in it: who has an id, or tries all that there can be, finds out whether it is meant.
    """
    return blake2b(id.encode(), digest_size=16).hexdigest()


def id_hashes(id: str) -> str:
    """What stands for an id in a command of which it is not known yet whether it forgets the image.

    Its ``id_digest``, and the shorter hash by which a learner remembers ids that have left the window, in hexadecimal.
    """
    return id_digest(id) + short_id_hash(id).to_bytes(SHORT_HASH_BYTES, "little").hex()


def split_hashes(text: str) -> tuple[str, int]:
    """The ``id_digest`` and the ``short_id_hash`` in valid ``id_hashes``."""
    return text[:DIGEST_CHARACTERS], int.from_bytes(bytes.fromhex(text[DIGEST_CHARACTERS:]), "little")


def valid_hashes(text: object) -> TypeGuard[str]:
    """Whether it may be what ``id_hashes`` returned."""
    return isinstance(text, str) and _HASHES.fullmatch(text) is not None


def short_id_hash(id: str) -> int:
    """64 bits of BLAKE2: of a million ids, any two are equal with a chance of 1 in 40 million."""
    return int.from_bytes(blake2b(id.encode(), digest_size=SHORT_HASH_BYTES).digest(), "little")


def valid_digest(text: str) -> bool:
    """Whether it may be what ``id_digest`` returned."""
    return _DIGEST.fullmatch(text) is not None


def valid_digests(value: object) -> TypeGuard[list[str]]:
    """Whether it is a list of such texts, and not empty."""
    texts = value if isinstance(value, list) else []
    return bool(texts) and all(isinstance(text, str) and valid_digest(text) for text in texts)


def valid_why(text: str) -> bool:
    return _WHY.fullmatch(text) is not None


def valid_command(text: str) -> bool:
    return _COMMAND.fullmatch(text) is not None


def normal_label(text: str) -> str:
    """The one spelling of a label: trimmed, and in Unicode's composed form (NFC).

    Every entrance (HTTP, command line, folders) applies it, and so does every decoder of events: whichever program
    wrote to the log, the learner never counts two spellings as two classes. The result may still be an invalid label.
    """
    trimmed = text.strip()
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)
