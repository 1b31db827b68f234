"""Encrypted images: only their own key, stream and id open them, and without the key nobody can."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.images import ENCRYPTION, decode_image, encode_image
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Image, Rejected
from prequel.shared.images.encryption import NONCE_BYTES, EncryptedImage, ImageCipher, delete_keys, key_id, key_name
from prequel.shared.log.base import IMAGES, Record
from prequel.shared.store.sqlite import SqliteStore

DATA = b"the bytes of an image"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path_factory.mktemp("keys") / "store.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def cipher(store: SqliteStore) -> ImageCipher:
    return ImageCipher(store)


def record(image: EncryptedImage, id: str = "i", stream: str = "pets", key_id: str | None = None) -> Record:
    """The image's event, as it stands in the log."""
    message = encode_image(
        id,
        stream,
        image.data,
        label="cat",
        time=0.0,
        source="prequel/test",
        content_type="image/png",
        key_id=image.key_id if key_id is None else key_id,
    )
    return Record(IMAGES, 0, 0, message.key, message.value, message.headers, 0.0)


def opened(cipher: ImageCipher, image: Record) -> Image | Rejected:
    (result,) = cipher.decrypt([decode_image(image)])
    return result


def reason(result: Image | Rejected) -> str:
    assert isinstance(result, Rejected)
    return result.reason


@given(st.binary(max_size=2_000), st.sampled_from(["i", "a.b:c", "x" * 128]))
def test_what_is_encrypted_comes_back(store: SqliteStore, data: bytes, id: str) -> None:
    cipher = ImageCipher(store)
    (image,) = cipher.encrypt("pets", [(id, data)])
    assert len(data) < 8 or data not in image.data
    stored = record(image, id)
    assert dict(stored.headers)["ce_encryption"] == ENCRYPTION.encode()
    found = opened(cipher, stored)
    assert isinstance(found, Image)
    assert (found.data, found.key_id, found.label, found.attributes) == (data, "", "cat", {})
    assert cipher.image_bytes(stored) == data


def test_every_image_has_a_key_and_every_copy_a_nonce_of_its_own(cipher: ImageCipher, store: SqliteStore) -> None:
    images = cipher.encrypt("own", [("a", DATA), ("b", DATA), ("a", DATA)])
    assert images[0].key_id == images[2].key_id != images[1].key_id
    assert len({image.data[:NONCE_BYTES] for image in images}) == len({image.data for image in images}) == 3
    assert [len(store.get(key_name("own", id)) or b"") for id in ("a", "b")] == [32, 32]
    assert images[0].key_id == key_id(store.get(key_name("own", "a")) or b"")


def test_the_key_is_what_opens_an_image(cipher: ImageCipher, store: SqliteStore) -> None:
    """Not another key of the same name: an image that is sent again does not bring the forgotten one back."""
    (image,) = cipher.encrypt("pets", [("gone", DATA)])
    (kept,) = cipher.encrypt("pets", [("kept", DATA)])
    delete_keys(store, "pets", map(id_digest, ["gone", "never"]))
    assert reason(opened(cipher, record(image, "gone"))) == "forgotten"
    with pytest.raises(Rejected, match="forgotten"):
        cipher.image_bytes(record(image, "gone"))
    (again,) = cipher.encrypt("pets", [("gone", DATA)])
    assert reason(opened(cipher, record(image, "gone"))) == "forgotten"
    assert isinstance(opened(cipher, record(again, "gone")), Image)
    assert isinstance(opened(cipher, record(kept, "kept")), Image)


def test_an_image_opens_only_under_its_own_stream_and_id(cipher: ImageCipher, store: SqliteStore) -> None:
    (image,) = cipher.encrypt("pets", [("mine", DATA)])
    key = store.get(key_name("pets", "mine")) or b""
    store.put_all({key_name("pets", "other"): key, key_name("cars", "mine"): key})
    assert reason(opened(cipher, record(image, "other"))) == "malformed"
    assert reason(opened(cipher, record(image, "mine", "cars"))) == "malformed"


@pytest.mark.parametrize("at", [0, NONCE_BYTES, -1])
def test_a_changed_byte_is_noticed(cipher: ImageCipher, at: int) -> None:
    (image,) = cipher.encrypt("pets", [("bits", DATA)])
    data = bytearray(image.data)
    data[at] ^= 1
    assert reason(opened(cipher, record(EncryptedImage(bytes(data), image.key_id), "bits"))) == "malformed"


@pytest.mark.parametrize("length", [0, 5, NONCE_BYTES, NONCE_BYTES + 15])
def test_what_is_too_short_is_malformed(cipher: ImageCipher, length: int) -> None:
    (image,) = cipher.encrypt("pets", [("short", DATA)])
    cut = EncryptedImage(image.data[:length], image.key_id)
    assert reason(opened(cipher, record(cut, "short"))) == "malformed"


def test_what_is_not_encrypted_passes_and_asks_nobody(store: SqliteStore) -> None:
    class NoStore:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    cipher = ImageCipher(NoStore())  # type: ignore[arg-type]
    plain, refused = decode_image(record(EncryptedImage(DATA, ""))), Rejected("bad-id", "so says the test")
    assert cipher.decrypt([plain, refused]) == [plain, refused]
    assert cipher.image_bytes(record(EncryptedImage(DATA, ""))) == DATA
    assert cipher.image_bytes(Record(IMAGES, 0, 0, None, b"no event", (), 0.0)) == b"no event"


@pytest.mark.parametrize("headers", [{"ce_encryption": "A128GCM", "ce_keyid": "1"}, {"ce_encryption": "A256GCM"}])
def test_another_encryption_is_refused(headers: dict[str, str]) -> None:
    plain = record(EncryptedImage(DATA, ""))
    strange = plain._replace(headers=(*plain.headers, *((name, value.encode()) for name, value in headers.items())))
    with pytest.raises(Rejected, match="ce_encryption"):
        decode_image(strange)


def test_nonces_and_keys_come_from_where_the_caller_says(store: SqliteStore) -> None:
    numbers = itertools.count(1)
    (image,) = ImageCipher(store, lambda size: bytes([next(numbers)]) * size).encrypt("dice", [("i", DATA)])
    assert store.get(key_name("dice", "i")) == b"\1" * 32
    assert image.data[:NONCE_BYTES] == b"\2" * NONCE_BYTES
