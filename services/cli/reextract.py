"""The work of `reextract`: what it checks before it begins, its progress, and what it says at the end."""

import difflib
import threading
from collections.abc import Callable, Sequence

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from prequel.services.extractor.reextraction.missing_features import MissingFeatures
from prequel.services.extractor.reextraction.reextraction import GONE, ImageExtractor, Reextraction
from prequel.shared import status
from prequel.shared.log.base import IMAGES, Log, Position
from prequel.shared.store.base import Store

NICENESS = 19
"""The lowest priority that there is: new images and answers come first. On a machine of its own it changes nothing."""


class CannotReextract(Exception):
    """Nothing was done: the message says why."""


def own_backbone(store: Store, stream: str) -> str:
    """The id of the backbone that the stream learns from; empty before its first image.

    Raises CannotReextract, with the nearest name, where there is no such stream; StoreUnavailable. Blocks.
    """
    published = store.get(status.key(stream))
    if published is None:
        names = status.streams(store.keys_with_values(status.PREFIX))
        similar = difflib.get_close_matches(stream, names, 1)
        question = f" (did you mean {similar[0]}?)" if similar else ""
        raise CannotReextract(f"there is no stream {stream}{question}; `prequel streams` lists all")
    return str(orjson.loads(published).get("backbone", ""))


class ReextractedStream:
    """A stream on its way to another backbone, with what is printed of it; ``own`` is the one that it learns from.

    Of its own it may miss features too: of images that came while it learned from another one.
    """

    def __init__(
        self,
        log: Log,
        stream: str,
        backbone: str,
        extractor: ImageExtractor,
        *,
        own: str,
        batch: int,
        console: Console,
        stop: threading.Event,
    ) -> None:
        self.stream, self.backbone, self.is_own = stream, backbone, backbone == own
        self._log, self._console = log, console
        self.missing = MissingFeatures(log, stream, backbone)
        self.job = Reextraction(log, self.missing, extractor, batch=batch, advance=self._advance, stop=stop)
        self._bar = progress_bar(console, f"extracting {stream} through {backbone}")

    def extract(self, clock: Callable[[], float]) -> None:
        """Extract all that has no features yet. Raises CannotReextract, and what ``Reextraction.run`` does."""
        images = self.missing.read()
        self._check(images)
        began = clock()
        with self._bar:
            self.job.run(images)
        self.say(*result_lines(self.job, self.stream, self.backbone, clock() - began))

    def _check(self, images: Sequence[Position]) -> None:
        """Say how many of the images are not stored any more. Raises CannotReextract where there is nothing to do."""
        if self.is_own and not images:
            raise CannotReextract(f"{self.stream} learns from {self.backbone} already, and every image has features")
        if (others := self.missing.without_image) and not images and not self.missing.known:
            raise CannotReextract(
                f"all {others:,} examples of {self.stream} came as features, without an image to extract: send "
                "features of the other backbone into a stream of their own, and compare the two"
            )
        if others:
            self.say(
                f"{self.stream}: {others:,} examples came as features, without an image: they will have no features of "
                "this backbone, and what was learned from them is left out after a switch"
            )
        begins = {partition: bounds.begin for partition, bounds in self._log.bounds(IMAGES).items()}
        gone = sum(position.offset < begins[position.partition] for position in images)
        if gone and gone == len(images) and not self.missing.known:
            raise CannotReextract(
                f"none of the {gone:,} images of {self.stream} without these features is stored any more "
                "(PREQUEL_RETENTION_IMAGES): another backbone needs them, so send them again"
            )
        if gone:
            self.say(
                f"{self.stream}: {gone:,} images are not stored any more (PREQUEL_RETENTION_IMAGES): "
                "they will have no features of it, and what was learned from them is left out after a switch"
            )

    def say_what_next(self) -> None:
        """How to go on."""
        if not self.is_own:
            self.say(f"to learn from them: prequel switch {self.stream} {self.backbone}")

    def say(self, *lines: str) -> None:
        """Print lines as they are, however wide the terminal."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def _advance(self, done: int, total: int) -> None:
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)


def progress_bar(console: Console, text: str) -> Progress:
    """A bar with one task, for a terminal."""
    columns = (TextColumn(text, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    bar.add_task(text, total=None)
    return bar


def result_lines(work: Reextraction, stream: str, backbone: str, seconds: float) -> Sequence[str]:
    """What was done, and what could not be."""
    made = work.done - work.failed.total()
    rate = f", {made / seconds:,.0f} a second" if made and seconds else ""
    failed = [
        f"{count:,} images have no features: {'the log has them no more' if reason == GONE else reason}"
        for reason, count in work.failed.most_common()
    ]
    return [f"{stream}: features of {made:,} images through {backbone}{rate}", *failed]
