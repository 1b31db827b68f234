"""Encrypts images before they are appended, where PREQUEL_FORGETTABLE asks for it."""

from collections.abc import Sequence

from prequel.services.gateway.view.store_reads import StoreReads
from prequel.shared.images.encryption import EncryptedImage, ImageCipher


class ImageEncryption:
    """Call it on the event loop; it encrypts, and writes keys into the store, on threads."""

    def __init__(self, cipher: ImageCipher, store: StoreReads, *, enabled: bool) -> None:
        """``store``: calls of its own, so that images that wait for keys keep nobody's status waiting."""
        self._cipher, self._store, self._enabled = cipher, store, enabled

    async def encrypt(self, stream: str, images: Sequence[tuple[str, bytes]]) -> list[EncryptedImage]:
        """The images (id and bytes) as they are to be appended, the keys of those that are encrypted in the store.

        Raises StoreUnavailable, also where the store does not answer in time: then nothing may be appended.
        """
        if not self._enabled:
            return [EncryptedImage(data, "") for _, data in images]
        return await self._store.call(lambda: self._cipher.encrypt(stream, images))

    def close(self) -> None:
        self._store.close()
