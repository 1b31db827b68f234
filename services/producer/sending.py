"""Sends batches of images on a thread of its own, so that the next one is read meanwhile."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from prequel.services.producer.client import ImageRefusal
from prequel.services.producer.errors import RequestRefused
from prequel.services.producer.sources.base import LoadedImage

Post = Callable[[Sequence[LoadedImage]], list[ImageRefusal]]
"""Sends some images in one request, and returns those that were refused; see ``Client.post_images``."""


class ImageSender:
    """Sends one batch at a time by ``post``. For one thread; leaving its context waits for the last batch."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._thread = ThreadPoolExecutor(1, "prequel-send")
        self._images: Sequence[LoadedImage] = ()
        self._answer: Future[list[ImageRefusal]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown()

    def __len__(self) -> int:
        """Images of the batch that is being sent, until its answer is taken."""
        return len(self._images)

    @property
    def idle(self) -> bool:
        """Whether a batch could be sent at once."""
        return self._answer is None or self._answer.done()

    def send(self, images: Sequence[LoadedImage], *, with_labels: bool) -> None:
        """Begin to send a batch. Take the answer to the batch before it first."""
        assert self._answer is None
        self._images = images
        outgoing = images if with_labels else [image._replace(label=None) for image in images]
        self._answer = self._thread.submit(self._post, outgoing)

    def take_answer(self) -> list[tuple[LoadedImage, RequestRefused | None]]:
        """Wait for the answer to the batch: each of its images, and why it was refused, None where it was not.

        Empty where nothing was sent. Raises what the client raises.
        """
        if self._answer is None:
            return []
        images, answer = self._images, self._answer
        self._images, self._answer = (), None
        refusals = {image.id: refused for image, refused in answer.result()}
        return [(image, refusals.get(image.id)) for image in images]
