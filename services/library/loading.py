"""Examples made of what a caller gives: images or rows of numbers, with a label and an id each."""

from collections.abc import Iterable, Iterator, Sequence

from prequel.services.library.examples import Sent
from prequel.services.library.image_files import IMAGE_TYPES, EncodedImage, Image, encoded
from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.sources.base import LoadedImage
from prequel.shared.events.images import content_digest
from prequel.shared.features.base import Vectors
from prequel.shared.vectors import InvalidVector, check_vector, vector_bytes

FEATURES_TYPE = "application/octet-stream"


def all_images(images: Iterable[Image]) -> list[Image]:
    """The images of a call that has many. Raises WrongUsage before any is read, where one is none."""
    if not isinstance(images, Iterable):
        raise _no_image("the image", images)
    several = list(images)
    for place, image in enumerate(several):
        if not isinstance(image, IMAGE_TYPES):
            raise _no_image(_name(place), image)
    return several


def encoded_images(images: Sequence[Image]) -> Iterator[EncodedImage]:
    """Each as a file, read when it is needed. Raises SourceError."""
    return (encoded(image, _name(place)) for place, image in enumerate(images))


def loaded(image: EncodedImage, label: str | None, id: str) -> LoadedImage:
    """An image ready to be sent; an empty ``id``: the digest of its bytes."""
    return LoadedImage(id or content_digest(image.data), image.name, label, image.data, image.content_type)


def loaded_images(
    images: Sequence[Image], labels: Sequence[str | None], ids: Sequence[str]
) -> Iterator[LoadedImage | Sent]:
    """Each image, read when it is needed; refused where that fails."""
    for place, (image, label, id) in enumerate(zip(images, labels, ids, strict=True)):
        try:
            yield loaded(encoded(image, _name(place)), label, id)
        except SourceError as error:
            yield Sent(id, refused=str(error))


def loaded_rows(vectors: Vectors, labels: Sequence[str | None], ids: Sequence[str]) -> Iterator[LoadedImage | Sent]:
    """Each row as an example; refused where a value is not finite."""
    for place, (vector, label, id) in enumerate(zip(vectors, labels, ids, strict=True)):
        try:
            yield LoadedImage(id, f"row {place}", label, vector_bytes(check_vector(vector)), FEATURES_TYPE)
        except InvalidVector as error:
            yield Sent(id, refused=f"row {place} of X: {error}")


def _no_image(name: str, value: object) -> WrongUsage:
    return WrongUsage(
        f"{name} is of type {type(value).__name__}: an image is a path, bytes, a Pillow image or an array of uint8"
    )


def _name(place: int) -> str:
    return f"image {place}"
