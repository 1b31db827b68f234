"""The backbones that are loaded: each when it is needed, and only so many: those that images wait for stay."""

import logging
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import NamedTuple

from prequel.services.extractor.backbones.base import Backbone, BackboneConfig, Choice, OutOfMemory
from prequel.services.extractor.engines.conversion import ConversionInterrupted
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.shared.config import ConfigError
from prequel.shared.runtime.deadlines import BACKBONE_BACKOFF
from prequel.shared.runtime.garbage_collection import collect_everything

MAX_FAILURES = 100
"""Backbones remembered that could not be loaded, the newest. Anyone who may create streams can name many, and each that
is forgotten costs one more try."""

THREADS = 2
"""Loads at one time: behind one alone, a backbone that is in the cache would wait for another's download. Each may add
a backbone to memory before it takes one out, so more of them would."""

_log = logging.getLogger(__name__)


class BackboneUnavailable(Exception):
    """This backbone cannot be loaded here: the message says why, and what to do."""


class _Failure(NamedTuple):
    """The failed tries in a row, why the last one failed, and when the next one is due, by the pool's clock."""

    tries: int
    reason: str
    next_due: float


class BackbonePool:
    """Backbones by what was chosen. ``load`` loads one; at most ``max_loaded`` stay: what images
    wait for, that of the oldest image first (see ``need``), then those used last.

    They are loaded on threads of the pool's own, while those that are there go on. The one that
    has to go is unloaded after another was loaded, not before: until then its images go on too. One in
    use as it is unloaded keeps its memory until it is not, and ``free_unused`` is called. Thread-safe.
    """

    def __init__(
        self,
        load: Callable[[Choice], Backbone],
        *,
        max_loaded: int,
        batch: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._max_loaded, self._batch, self._clock = load, max_loaded, batch, clock
        self._threads = ThreadPoolExecutor(THREADS, "backbone-loader")
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, LoadedBackbone] = OrderedDict()
        """By id, the least recently used first."""
        self._unloaded: list[weakref.ref[LoadedBackbone]] = []
        """Those that somebody still used when they were unloaded."""
        self._needed: list[Choice] = []
        """At most ``max_loaded``: where more are loaded, one that is not needed is among them."""
        self._digests: dict[BackboneConfig, str] = {}
        """Of the weights that a configuration has here, once it was loaded."""
        self._loading: dict[Choice, Future[LoadedBackbone]] = {}
        self._failures: dict[Choice, _Failure] = {}

    def need(self, choices: Iterable[Choice]) -> None:
        """The backbones that images wait for, that of the oldest image first.

        The first ``max_loaded`` of them are not unloaded until this is called again: one that was loaded for an image
        serves it first. Else another, loaded during a long batch, could take its place each time.
        """
        with self._lock:
            self._needed = list(islice(choices, self._max_loaded))

    def get(self, choice: Choice) -> LoadedBackbone | None:
        """The backbone; None while it is being loaded, which this begins, or while all places are for others.

        Raises BackboneUnavailable.
        """
        with self._lock:
            found = self._find(choice) if self._has_place(choice) else self._find_loaded(choice)
        return None if isinstance(found, Future) else found

    def _find(self, choice: Choice) -> "LoadedBackbone | Future[LoadedBackbone]":
        """The backbone, or what loads it: both in one step, since it may be loaded before anybody looks again."""
        choice = self._with_digest(choice)
        if backbone := self._find_loaded(choice):
            return backbone
        if choice not in self._loading:
            self._loading[choice] = self._threads.submit(self._load_one, choice)
        return self._loading[choice]

    def _find_loaded(self, choice: Choice) -> LoadedBackbone | None:
        """The backbone, now used most recently; None where it may be loaded. Raises BackboneUnavailable."""
        choice = self._with_digest(choice)
        if backbone := self._loaded.get(choice.spec):
            self._loaded.move_to_end(choice.spec)
            return backbone
        failure = self._failures.get(choice)
        if failure and self._clock() < failure.next_due:
            raise BackboneUnavailable(failure.reason)
        return None

    def _has_place(self, choice: Choice) -> bool:
        return len(self._needed) < self._max_loaded or self._with_digest(choice).spec in self._needed_specs()

    def _needed_specs(self) -> set[str]:
        """As of now: the first load of a configuration says which digest it has."""
        return {self._with_digest(choice).spec for choice in self._needed}

    def has(self, choice: Choice) -> bool:
        """Whether it is loaded now. Does not count as a use."""
        with self._lock:
            return self._with_digest(choice).spec in self._loaded

    def wait(self, choice: Choice, timeout: float | None = None) -> LoadedBackbone:
        """The backbone, once it is loaded. Raises what loading it raised, TimeoutError, BackboneUnavailable."""
        with self._lock:
            found = self._find(choice)
        return found.result(timeout) if isinstance(found, Future) else found

    def wait_for_any(self, timeout: float) -> None:
        """Block until a backbone that is being loaded is, or could not be."""
        with self._lock:
            loading = list(self._loading.values())
        wait(loading, timeout, FIRST_COMPLETED)

    def free_unused(self) -> None:
        """Free the memory of backbones that were in use as they were unloaded, and are no more. Quick if none is."""
        with self._lock:
            used = [backbone for backbone in self._unloaded if backbone()]
            let_go = len(used) < len(self._unloaded)
            self._unloaded = used
        if let_go:
            collect_everything()  # Models of Keras are cycles: without it they keep their weights for some time.

    def close(self) -> None:
        """Load no more. Does not wait for one that is being loaded."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _with_digest(self, choice: Choice) -> Choice:
        return choice if choice.digest else choice._replace(digest=self._digests.get(choice.config, ""))

    def _load_one(self, choice: Choice) -> LoadedBackbone:
        began = self._clock()
        try:
            backbone = LoadedBackbone(self._load(choice), self._batch)
        except Exception as error:
            self._failed(choice, error)
            raise
        with self._lock:
            if self._digests:  # The first one is what the process begins with: it says so itself.
                _log.info("loaded backbone %s in %.1f s", backbone.id, self._clock() - began)
            self._digests[choice.config] = backbone.id.rpartition("-")[2]
            self._loaded[backbone.id] = backbone
            self._loaded.move_to_end(backbone.id)
            self._failures.pop(choice, None)
            del self._loading[choice]
        self._unload_surplus()
        return backbone

    def _failed(self, choice: Choice, error: Exception) -> None:
        """Remember it, but for an interruption: that says nothing about the backbone."""
        with self._lock:
            del self._loading[choice]
            if isinstance(error, ConversionInterrupted):
                return
            before = self._failures.pop(choice, None)
            tries, reason = (before.tries if before else 0) + 1, _reason(error)
            pause = BACKBONE_BACKOFF.pause(tries, 0.0)
            self._failures[choice] = _Failure(tries, reason, self._clock() + pause)
            if len(self._failures) > MAX_FAILURES:
                del self._failures[next(iter(self._failures))]
        if self._digests and (before is None or before.reason != reason):
            # A bug of one backbone must not stop the streams of the others: it is here with its traceback.
            bug = None if isinstance(error, ConfigError | OutOfMemory) else error
            _log.warning("backbone %s cannot be loaded: %s", choice.spec, reason, exc_info=bug)

    def _unload_surplus(self) -> None:
        while id := self._unload_one():
            _log.info("unloaded backbone %s: %d others are needed or were used since", id, self._max_loaded)
        self.free_unused()

    def _unload_one(self) -> str | None:
        """The id of what was surplus; None where nothing is."""
        with self._lock:
            if len(self._loaded) <= self._max_loaded:
                return None
            needed = self._needed_specs()
            id = next(id for id in self._loaded if id not in needed)
            self._unloaded.append(weakref.ref(self._loaded.pop(id)))
            return id


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ConfigError | OutOfMemory) else repr(error)
