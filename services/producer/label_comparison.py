"""Compares the labels of a source with those that the stream has for the same images."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from prequel.services.producer.client import Client
from prequel.services.producer.delayed_labels import AUTHOR, DelayedLabels
from prequel.services.producer.errors import Stopped
from prequel.services.producer.positions import offset
from prequel.services.producer.sources.base import LoadedImage
from prequel.services.producer.summary import ImageProblem
from prequel.services.producer.unanswered import LabelledImage
from prequel.shared.runtime.deadlines import PRODUCER_SETTLE_BACKOFF, PRODUCER_SETTLE_S

MAX_LOOKUP_IDS = 1_000
"""Ids in one request: the gateway accepts no more."""

REFUSALS = {
    "rejected": "the stream accepts no more classes (PREQUEL_MAX_LABELS)",
    "expired": "the image is older than the stream's window (PREQUEL_WINDOW)",
}
"""By the status of a refused label."""


class LabelComparison:
    """The images of one run that the stream has already, and their labels in the source and in the stream.

    ``correct``: labels that the source has changed are corrected; otherwise they are only counted. A label that
    somebody else gave or retracted (on the page, by `prequel label`, over HTTP) stays: the source does not know of it.
    """

    def __init__(self, client: Client, stream: str, labels: DelayedLabels, *, correct: bool) -> None:
        self._client, self._stream, self._labels, self._correct = client, stream, labels, correct
        self._candidates: dict[str, tuple[LabelledImage, str]] = {}
        """By id: an image, and another label that the stream has for it by a run like this one."""
        self._labels_of_copies = set[tuple[str, str | None]]()
        self._expected: dict[str, LabelledImage] = {}
        """By id: labels that were sent as events of their own."""
        self._unlabelled = set[str]()
        self.stream_exists = False
        """Whether the stream may have images already. If it is new, nothing is looked up in it."""
        self.already_known = 0
        self.corrected = 0
        self.newly_labelled = 0
        self.refused: list[ImageProblem] = []
        self.by_others: list[ImageProblem] = []

    @property
    def changed(self) -> list[ImageProblem]:
        """Images whose label the source has changed, and that were not corrected."""
        return [
            ImageProblem(image.name, f"{truth} in the stream, {image.label} here")
            for image, truth in self._changed()
            if image.id not in self._expected
        ]

    def select_new(self, images: Sequence[LoadedImage]) -> list[LoadedImage]:
        """The images that the stream does not have; the labels of the others are compared.

        Raises what the client raises.
        """
        if not self.stream_exists or not images:
            return list(images)
        examples = self._lookup(id for image in images for id in (image.id, image.old_id) if id)
        known = {image.id: examples.get(image.id) or examples.get(image.old_id) for image in images}
        pairs = [(image.name, image.label, example) for image in images if (example := known[image.id])]
        # A label that was rejected is sent again, since the limit may have been raised; an expired one cannot succeed.
        self._compare(pairs, final_refusals=("expired",))
        self.already_known += sum(example is not None for example in known.values())
        return [image for image in images if known[image.id] is None]

    def compare_again(self, images: Sequence[LabelledImage]) -> None:
        """Compare images that have another label in the stream than the one they were sent with, or none."""
        examples = self._lookup(image.id for image in images)
        pairs = [(image.name, image.label, examples[image.id]) for image in images if image.id in examples]
        self._compare(pairs, final_refusals=tuple(REFUSALS))

    def add_copy(self, image: LoadedImage) -> None:
        """The source has a copy of an image under this label: if the stream has that label, it was not changed."""
        self._labels_of_copies |= {(image.id, image.label), (image.old_id, image.label)}

    def expect(self, image: LabelledImage) -> None:
        """The image's label is sent as an event of its own: ``await_labels`` checks its outcome."""
        self._expected[image.id] = image

    def send_corrections(self) -> None:
        """Send the corrections, if they are wanted, in the order of the source."""
        for image, _ in self._changed() if self._correct else ():
            self._send_label(image)

    def await_labels(self, stop: threading.Event, clock: Callable[[], float]) -> None:
        """Block until every label that was sent as an event is in the stream or refused, and count both."""
        deadline, open, tries = clock() + PRODUCER_SETTLE_S, list(self._expected.values()), 0
        while open := list(self._without_outcome(open)):
            if clock() >= deadline:
                self.refused += [ImageProblem(image.name, f"{image.label}: not accepted yet") for image in open]
                return
            tries += 1
            if stop.wait(PRODUCER_SETTLE_BACKOFF.pause(tries, random.random())):
                raise Stopped

    def _changed(self) -> list[tuple[LabelledImage, str]]:
        """Images whose label in the stream is none of those that the source has for them."""
        candidates = self._candidates.values()
        return [(image, label) for image, label in candidates if (image.id, label) not in self._labels_of_copies]

    def _compare(self, pairs: Sequence[tuple[str, str | None, dict[str, Any]]], final_refusals: Sequence[str]) -> None:
        """``pairs``: name and label of an image in the source, and the stream's example of it.

        ``final_refusals``: statuses of refused labels that would be refused again.
        """
        different = []
        for name, label, example in pairs:
            if label is None or label == example["truth"]:
                continue
            image = LabelledImage(example["id"], name, label)
            if (reason := _refusal(example, label)) and example["refused"]["status"] in final_refusals:
                self.refused.append(ImageProblem(name, reason))
            elif example["truth"] is None and not example["late"]:
                self._label_first_time(image)
            else:
                different.append(image)
        if different:
            self._sort_by_author({image.id: image for image in different})

    def _sort_by_author(self, images: dict[str, LabelledImage]) -> None:
        """Images with another label are candidates for correction only where a run like this one gave that label."""
        for example in self._lookup(images, with_authors=True).values():
            image, truth = images[example["id"]], example["truth"]
            if example["late"] and not (example["by"] or "").startswith(AUTHOR):
                author = example["by"] or "somebody"
                self.by_others.append(
                    ImageProblem(image.name, f"{truth or 'retracted'} by {author}, {image.label} here")
                )
            elif truth is not None:
                self._candidates[image.id] = image, truth
            else:
                self._label_first_time(image)

    def _label_first_time(self, image: LabelledImage) -> None:
        self._unlabelled.add(image.id)
        self._send_label(image)

    def _send_label(self, image: LabelledImage) -> None:
        self.expect(image)
        self._labels.add(image.id, image.label, ())

    def _without_outcome(self, images: Sequence[LabelledImage]) -> Iterator[LabelledImage]:
        """Those whose label is neither in the stream nor refused; without those that the gateway has forgotten."""
        examples = self._lookup(image.id for image in images)
        for image in images:
            example = examples.get(image.id)
            if example is None:
                continue
            if example["truth"] == image.label:
                self.corrected += image.id in self._candidates
                self.newly_labelled += image.id in self._unlabelled
            elif (reason := _refusal(example, image.label)) and self._of_this_run(example):
                self.refused.append(ImageProblem(image.name, reason))
            else:
                yield image

    def _of_this_run(self, example: dict[str, Any]) -> bool:
        """Whether the refused label was sent by this run; an earlier refusal says nothing about it."""
        return offset(example["refused"]["position"]) >= self._labels.first_offset

    def _lookup(self, ids: Iterable[str], *, with_authors: bool = False) -> dict[str, dict[str, Any]]:
        """The stream's examples by id."""
        iterator, examples = iter(ids), dict[str, dict[str, Any]]()
        while batch := list(islice(iterator, MAX_LOOKUP_IDS)):
            answer = self._client.lookup(self._stream, batch, with_authors=with_authors)
            examples |= {example["id"]: example for example in answer}
        return examples


def _refusal(example: dict[str, Any], label: str) -> str:
    """Why the stream refused this label for its example, empty where it did not."""
    refused = example["refused"]
    return f"{label}: {REFUSALS[refused['status']]}" if refused and refused["label"] == label else ""
