"""Encrypted images: AES-256-GCM, each image with a key of its own in the store, without which nobody can read it."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prequel.shared.events.images import decode_image, payload
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Image, Rejected
from prequel.shared.log.base import Record
from prequel.shared.store.base import Store

KEY_BYTES, NONCE_BYTES = 32, 12
"""AES-256's key, and the nonce of GCM (NIST SP 800-38D). A key encrypts one image, or copies of it that were sent
again: far fewer than the 2**32 messages for which random nonces are safe."""
KEY_PREFIX = "image-key/"


class EncryptedImage(NamedTuple):
    """``data``: nonce, ciphertext and tag. ``key_id`` tells the key from others; empty where nothing is encrypted."""

    data: bytes
    key_id: str


class ImageCipher:
    """Encrypts and decrypts images. Thread-safe; every call may block for the store, and raises StoreUnavailable.

    ``random_bytes`` gives so many bytes that nobody can guess.
    """

    def __init__(self, store: Store, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._store, self._random_bytes = store, random_bytes

    def encrypt(self, stream: str, images: Sequence[tuple[str, bytes]]) -> list[EncryptedImage]:
        """The images (id and bytes) of a stream, each under the key of its id. Their keys are in the store on return.

        An id that comes again has the key that it had: then a copy that is already in the log stays readable.
        """
        keys = self._store.add_all({key_name(stream, id): self._random_bytes(KEY_BYTES) for id, _ in images})
        return [self._encrypt(keys[key_name(stream, id)], _context(stream, id), data) for id, data in images]

    def decrypt(self, images: Sequence[Image | Rejected]) -> list[Image | Rejected]:
        """The images as they were sent; rejected are those whose key is gone. What is not encrypted stays as it is."""
        names = [key_name(image.stream, image.id) for image in images if isinstance(image, Image) and image.key_id]
        keys = self._store.get_all(names) if names else {}
        return [
            _decrypt(image, keys.get(key_name(image.stream, image.id)))
            if isinstance(image, Image) and image.key_id
            else image
            for image in images
        ]

    def image_bytes(self, record: Record) -> bytes:
        """The encoded image in a record of the topic `images`; its value where that is no event.

        Raises Rejected where it is encrypted and its key is gone.
        """
        try:
            image = decode_image(record)
        except Rejected:
            return payload(record)
        (decrypted,) = self.decrypt([image])
        if isinstance(decrypted, Rejected):
            raise decrypted
        return decrypted.data

    def _encrypt(self, key: bytes, context: bytes, data: bytes) -> EncryptedImage:
        # Imported here: only installations on Kafka have the package (the extra `kafka`).
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._random_bytes(NONCE_BYTES)
        return EncryptedImage(nonce + AESGCM(key).encrypt(nonce, data, context), key_id(key))


def key_name(stream: str, id: str) -> str:
    """Where the store has the key of an image."""
    return f"{KEY_PREFIX}{stream}/{id_digest(id)}"


def delete_keys(store: Store, stream: str, digests: Iterable[str]) -> None:
    """Delete the keys of the images whose ids have these digests (``id_digest``).

    From then on nobody can read them, wherever copies of them are. Blocks; raises StoreUnavailable.
    """
    store.delete([f"{KEY_PREFIX}{stream}/{digest}" for digest in digests])


def encrypted_key_name(record: Record) -> str:
    """Where the store has the key of the image in a record of the topic `images`; empty where it is not encrypted."""
    try:
        image = decode_image(record)
    except Rejected:
        return ""
    return key_name(image.stream, image.id) if image.key_id else ""


def key_id(key: bytes) -> str:
    """What tells a key from others, without a hint at what it is: the first 64 bits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:16]


def _decrypt(image: Image, key: bytes | None) -> Image | Rejected:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if key is None or key_id(key) != image.key_id:
        return Rejected("forgotten", "the image's key is not in the store: it was forgotten, or the store has lost it")
    nonce, sealed = image.data[:NONCE_BYTES], image.data[NONCE_BYTES:]
    try:
        data = AESGCM(key).decrypt(nonce, sealed, _context(image.stream, image.id))
    except (InvalidTag, ValueError):  # ValueError: too short for a nonce and a tag.
        return Rejected("malformed", "the image cannot be decrypted: its bytes, stream or id are not those encrypted")
    return image._replace(data=data, key_id="")


def _context(stream: str, id: str) -> bytes:
    """What a ciphertext is bound to (GCM's associated data): as another image's it cannot be decrypted."""
    return f"{stream}/{id}".encode()
