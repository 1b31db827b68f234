"""The client of a running Prequel, as programs and notebooks use it."""

import argparse
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, overload

import orjson
from pydantic import BaseModel

from prequel.services.cli import composition
from prequel.services.gateway.http.schemas import (
    AppliedAnswer,
    ConfusionAnswer,
    CurveAnswer,
    HistoryAnswer,
    PredictionAnswer,
    PredictionList,
    ReliabilityAnswer,
)
from prequel.services.library.arguments import Label, ids_for, labels_for, vectors_of
from prequel.services.library.examples import Sent, send_all, send_one
from prequel.services.library.image_files import IMAGE_TYPES, EncodedImage, Image, encoded
from prequel.services.library.labels import Labelled, label_all, label_one
from prequel.services.library.loading import all_images, encoded_images, loaded, loaded_images, loaded_rows
from prequel.services.producer.client import Client as GatewayClient
from prequel.services.producer.client import parsed
from prequel.services.producer.commands.backtest import BacktestOptions, wait_for_backtest
from prequel.services.producer.commands.export import Wanted, left_out, write_export
from prequel.services.producer.commands.export_model import WantedModel, write_model
from prequel.services.producer.errors import CommandRefused, GatewayError, RequestRefused, Stopped, WrongUsage
from prequel.services.producer.event_stream import EventStream
from prequel.services.producer.exported_stream import whole_lines
from prequel.services.producer.report import check_stream
from prequel.services.producer.run import MAX_BATCH_IMAGES
from prequel.shared.backbone_specs import OWN_BACKBONE
from prequel.shared.backtests import BacktestResult
from prequel.shared.exports import WHAT, What
from prequel.shared.model_files import ModelConverter
from prequel.shared.queries import Answer
from prequel.shared.runtime.deadlines import CATCH_UP_S, PRODUCER_BACKTEST_S, PRODUCER_COMMAND_S, PRODUCER_RETRY_S
from prequel.shared.status import StreamStatus

AUTHOR = "prequel.Client"
"""Who gives labels and commands, in a stream's history, unless the caller says another."""

MAX_ROWS = 1_000
"""Feature vectors in one request: as many as a gateway takes."""

RowsOf = Literal["labels", "predictions", "features"]

Read = TypeVar("Read", bound=BaseModel)


class Client:
    """Calls of a gateway. Safe from several threads; close it, or use it in a ``with`` statement.

    ``api_key`` is one of the gateway's PREQUEL_API_KEYS; without it, the first of that variable in this process. A
    gateway that is unavailable is asked again for ``timeout_s`` seconds, as while it restarts. ``wait`` is in seconds,
    60 at most, for what the services make of a call; 0: the answer comes when all is durable in the log.

    Each method blocks, and raises PrequelError: RequestRefused (with ``status_code`` and ``reason``) where the gateway
    refuses, GatewayUnavailable where it does not answer.

    >>> import prequel
    >>> with prequel.Client(url) as client:
    ...     sent = client.send("pets", photos / "red" / "0.png", "cat", wait=30)
    ...     client.status("pets").labels
    ['cat']
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, api_key: str | None = None, timeout_s: float = PRODUCER_RETRY_S
    ) -> None:
        self._closing = threading.Event()
        self._connected: GatewayClient = composition.connect_client(url, api_key, self._closing, timeout_s)
        self._listening = weakref.WeakSet[EventStream]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._connected.url!r})"

    def close(self) -> None:
        """End what other threads wait for, and free the connections."""
        self._closing.set()
        for events in list(self._listening):
            events.close()
        self._connected.close()

    # Examples.

    @overload
    def send(  # type: ignore[overload-overlap]  # A text is a collection of texts too: it counts as one.
        self, stream: str, images: Image, labels: Label = None, *, ids: str | None = None, wait: float = 0
    ) -> Sent: ...

    @overload
    def send(
        self,
        stream: str,
        images: Iterable[Image],
        labels: Label | Iterable[Label] = None,
        *,
        ids: Sequence[str] | None = None,
        wait: float = 0,
    ) -> list[Sent]: ...

    def send(
        self,
        stream: str,
        images: Image | Iterable[Image],
        labels: Label | Iterable[Label] = None,
        *,
        ids: str | Sequence[str] | None = None,
        wait: float = 0,
    ) -> Sent | list[Sent]:
        """Send an image, or many in their order, with labels where they are known; a new stream begins with the first.

        An image is a path, the bytes of a file, a Pillow image or an array (uint8; [height, width], or [height, width,
        3 or 4]). Without ``ids`` an image's id is the digest of its bytes: sent again it counts once, with another
        label it is refused. A single image that is refused raises RequestRefused or SourceError; of many, ``refused``
        says so of each, and the others are sent. Raises PartlySent where the gateway goes away among many.

        >>> client.send("pets", [photos / "red" / "1.png", "missing.png"], ["cat", "dog"])
        [Sent(id='...', position='0:...', prediction=None, refused=''),
         Sent(id='', position=None, prediction=None, refused='missing.png cannot be read: missing.png does not exist')]
        """
        gateway = self._gateway(stream)
        if isinstance(images, IMAGE_TYPES):
            (label,), (id,) = labels_for(labels, 1), ids_for(ids, 1)
            example = loaded(encoded(images), label, id)
            return send_one(lambda part: gateway.send_images(stream, part, wait), example)
        several = all_images(images)
        count = len(several)
        examples = loaded_images(several, labels_for(labels, count), ids_for(ids, count))
        return send_all(lambda part: gateway.send_images(stream, part, wait), examples, count, MAX_BATCH_IMAGES)

    def send_features(
        self,
        stream: str,
        X: Any,
        labels: Label | Iterable[Label] = None,
        *,
        ids: Sequence[str] | None = None,
        backbone: str = OWN_BACKBONE,
        wait: float = 0,
    ) -> list[Sent]:
        """Send feature vectors of your own, of anything: an array, lists or a data frame of numbers, [rows, values].

        ``backbone`` is a word of yours for what made them; a stream has features of one kind. Without ``ids`` each row
        gets a new one. A row with NaN or infinity is refused, the others are sent; all else is as in ``send``.

        >>> sent = client.send_features("flowers", [[5.1, 3.5], [6.2, 2.9]], ["setosa", "virginica"], wait=30)
        >>> [each.prediction.label for each in sent]
        [None, 'setosa']
        """
        gateway, vectors = self._gateway(stream), vectors_of(X)
        count = len(vectors)
        ids = [id or composition.new_id() for id in ids_for(ids, count)]
        rows = loaded_rows(vectors, labels_for(labels, count), ids)
        return send_all(lambda part: gateway.send_features(stream, part, backbone, wait), rows, count, MAX_ROWS)

    @overload
    def predict(self, stream: str, images: Image) -> Answer: ...  # type: ignore[overload-overlap]  # As in send.

    @overload
    def predict(self, stream: str, images: Iterable[Image]) -> list[Answer]: ...

    def predict(self, stream: str, images: Image | Iterable[Image]) -> Answer | list[Answer]:
        """What the stream's models say of an image now, or of each of many. Nothing is stored, counted or learned.

        Raises RequestRefused or SourceError, which names the image, for the first that cannot be predicted.

        >>> client.predict("colours", photos / "red" / "0.png").label
        'red'
        """
        gateway = self._gateway(stream)
        if isinstance(images, IMAGE_TYPES):
            return _predicted(gateway, stream, encoded(images))
        return [_predicted(gateway, stream, file) for file in encoded_images(all_images(images))]

    def predict_features(self, stream: str, X: Any) -> list[Answer]:
        """As ``predict``, of feature vectors, [rows, values].

        >>> [answer.label for answer in client.predict_features("colours", [[0.8, 0, 0], [0, 0, 0.8]])]
        ['red', 'blue']
        """
        gateway = self._gateway(stream)
        answers = (gateway.predict_features(stream, row.tolist()) for row in vectors_of(X))
        return [parsed(Answer, answer, "prediction") for answer in answers]

    # Predictions and labels.

    def prediction(self, stream: str, id: str, *, wait: float = 0) -> PredictionAnswer | None:
        """The prediction of an image that was sent, with its truth of now; None while there is none.

        Raises RequestRefused where there will be none, because the image became a dead letter.

        >>> client.prediction("colours", "red-0").truth
        'red'
        """
        found = self._gateway(stream).prediction(stream, id, wait)
        return None if found is None else parsed(PredictionAnswer, found, "prediction")

    def predictions(
        self,
        stream: str,
        *,
        sort: str = "recent",
        predicted: str | None = None,
        truth: str | None = None,
        wrong: bool | None = None,
        limit: int = 50,
    ) -> list[PredictionAnswer]:
        """The newest predictions of a stream, at most 1,000: by ``sort`` recent, uncertain or random; only those
        predicted as this, with this truth (empty: none), or predicted wrongly.

        >>> len(client.predictions("colours", truth="green"))
        4
        """
        wanted = {"sort": sort, "limit": str(limit), "predicted": predicted, "truth": truth}
        params = {name: value for name, value in wanted.items() if value is not None}
        params |= {} if wrong is None else {"wrong": str(wrong).lower()}
        found = self._gateway(stream).read(f"/v1/streams/{stream}/predictions", **params)
        return parsed(PredictionList, found, "list of predictions").predictions

    def image(self, stream: str, id: str, *, size: int | None = None) -> bytes:
        """An image that was sent, as a file, or its thumbnail of at most ``size`` pixels.

        >>> client.image("colours", "red-0") == (photos / "red" / "0.png").read_bytes()
        True
        """
        return self._gateway(stream).image(stream, id, size)

    @overload
    def label(  # type: ignore[overload-overlap]  # As in send.
        self,
        stream: str,
        ids: str,
        labels: Label,
        *,
        by: str = AUTHOR,
        why: str | None = None,
        wait: float = PRODUCER_COMMAND_S,
    ) -> Labelled: ...

    @overload
    def label(
        self,
        stream: str,
        ids: Sequence[str],
        labels: Label | Iterable[Label],
        *,
        by: str = AUTHOR,
        why: str | None = None,
        wait: float = PRODUCER_COMMAND_S,
    ) -> list[Labelled]: ...

    def label(
        self,
        stream: str,
        ids: str | Sequence[str],
        labels: Label | Iterable[Label],
        *,
        by: str = AUTHOR,
        why: str | None = None,
        wait: float = PRODUCER_COMMAND_S,
    ) -> Labelled | list[Labelled]:
        """Label an image or correct its label, or many; None retracts. A text for many ids is the label of all.

        ``why`` says how the image was chosen: random, uncertain, correction or another word. A label given twice counts
        once. A single one that is refused raises RequestRefused; of many, ``refused`` says so of each.

        >>> sent = client.send("moods", photos / "red" / "0.png", "calm")
        >>> client.label("moods", sent.id, "angry").outcome.status
        'corrected'
        >>> client.label("moods", [sent.id], None)[0].outcome.previous
        'angry'
        """
        gateway = self._gateway(stream)
        more = {"by": by, **({"why": why} if why else {})}
        if isinstance(ids, str):
            (label,) = labels_for(labels, 1)
            return label_one(gateway, stream, {"id": ids, "label": label, **more}, wait)
        pairs = zip(ids, labels_for(labels, len(ids)), strict=True)
        return label_all(gateway, stream, [{"id": id, "label": label, **more} for id, label in pairs], wait)

    # Streams.

    def streams(self) -> list[StreamStatus]:
        """The status of every stream.

        >>> "colours" in [status.stream for status in client.streams()]
        True
        """
        return self._gateway().streams()

    def status(self, stream: str) -> StreamStatus:
        """Counts of a stream, and per model the prequential metrics. Raises RequestRefused (404) where there is none.

        >>> status = client.status("colours")
        >>> status.images, status.labelled, sorted(status.labels)
        (12, 12, ['blue', 'green', 'red'])
        """
        return self._read(StreamStatus, stream)

    def curve(self, stream: str) -> CurveAnswer:
        """Accuracy per model over the scored examples, at most 500 points, and where it drifted.

        >>> client.curve("colours").points[-1].scored
        11
        """
        return self._read(CurveAnswer, stream, "/curve")

    def confusion(self, stream: str, model: str = "") -> ConfusionAnswer:
        """How often each class was predicted as which, by a model; without one by the champion.

        >>> sorted(client.confusion("colours").labels)
        ['blue', 'green', 'red']
        """
        return self._read(ConfusionAnswer, stream, "/confusion", **({"model": model} if model else {}))

    def reliability(self, stream: str) -> ReliabilityAnswer:
        """How often each model was right when it was so sure.

        >>> list(client.reliability("colours").models)
        ['ncm']
        """
        return self._read(ReliabilityAnswer, stream, "/reliability")

    def history(self, stream: str) -> HistoryAnswer:
        """Who changed a stream: its commands, the newest first, and labels counted by who gave them and why.

        >>> client.history("colours").labels.by
        {'producer': 12}
        """
        return self._read(HistoryAnswer, stream, "/history")

    def caught_up(self, stream: str, *, timeout_s: float = CATCH_UP_S) -> StreamStatus:
        """The status of a stream once no replay of its log is behind, as after ``models.add`` or a merge of classes.

        Blocks; raises PrequelError where the replay cannot go on, or takes longer than ``timeout_s``.

        >>> client.caught_up("colours").catching_up is None
        True
        """
        ends = time.monotonic() + timeout_s
        while (behind := (status := self.status(stream)).catching_up) is not None:
            if behind.problem:
                raise CommandRefused(f"the replay of {stream} cannot go on: {behind.problem}")
            if time.monotonic() > ends:
                raise GatewayError(f"{stream} has caught up {behind.progress:.0%} in {timeout_s:g} s: ask again later")
            if self._closing.wait(PRODUCER_BACKTEST_S):
                raise Stopped(f"the client was closed before {stream} had caught up")
        return status

    def backtest(
        self,
        stream: str,
        models: str | Sequence[str] = (),
        *,
        backbone: str | None = None,
        since: str | None = None,
        last: int | None = None,
    ) -> BacktestResult:
        """How these models would have done on all that the stream has seen, or on the newest ``last`` examples.

        Blocks until it is done, which takes minutes where the stream is long; Ctrl-C cancels it. Raises RequestRefused
        for a model that does not exist, ProducerError where it fails.

        >>> result = client.backtest("colours", "slda")
        >>> list(result.models), result.labelled
        (['ncm', 'slda'], 12)
        """
        gateway, id = self._gateway(stream), composition.new_id()
        specs = models if isinstance(models, str) else ",".join(models)
        gateway.start_backtest(stream, id, BacktestOptions(specs or None, since, last, backbone=backbone).body())
        try:
            found = wait_for_backtest(gateway, stream, id, lambda _: None, self._closing)
        except KeyboardInterrupt:
            gateway.end_backtest(stream, id)
            raise
        if found is None:
            raise Stopped("the client was closed before the back-test was done")
        return parsed(BacktestResult, found["result"], "result of a back-test")

    # What leaves.

    def export(
        self,
        stream: str,
        what: What | Literal["model"],
        out: str | PathLike[str] | None = None,
        *,
        format: str | None = None,
        model: str = "",
        force: bool = False,
    ) -> Path:
        """Export labels, predictions, features, images or a model to a file, or images to a folder; its path.

        The format is that of the name ``out``, else the default of `prequel export`; `docs/offline.md` says which there
        are. ``force`` replaces what is there. Warns where retention has removed a part. Raises PrequelError; then no
        half of a file is left.

        >>> client.export("colours", "model", "colours.npz").name
        'colours.npz'
        """
        gateway, path = self._gateway(stream), None if out is None else Path(out)
        if what == "model":
            wanted_model = WantedModel(stream, model, format, path, force)
            write_model(gateway, wanted_model, _converter(self._closing))
            return wanted_model.target
        if what not in WHAT:
            raise WrongUsage(f"{what!r} cannot be exported: {', '.join([*WHAT, 'model'])} can")
        wanted = Wanted(stream, what, format, path, force)
        for sentence in write_export(gateway, wanted, self._closing).left_out:
            warnings.warn(sentence, stacklevel=2)
        return wanted.target

    def rows(self, stream: str, what: RowsOf) -> Iterator[dict[str, Any]]:
        """The rows of an export one by one, while they arrive: labels, predictions or features. Warns as ``export``.

        >>> next(row for row in client.rows("colours", "labels") if row["id"] == "blue-1")["label"]
        'blue'
        """
        with self._gateway(stream).export(stream, what, "ndjson") as export:
            for sentence in left_out(export):
                warnings.warn(sentence, stacklevel=2)
            yield from map(orjson.loads, whole_lines(export.pieces(self._closing)))

    def events(self, stream: str | None = None, *, after: str | None = None) -> EventStream:
        """What happens in a stream (None: in all) from now on, or ``after`` the event of this id, as an iterator.

        It goes on over restarts of the gateway, without a gap; where there is one it says so (``reset``). It ends with
        its ``close``, or the client's, from any thread.

        >>> with client.events("colours") as events:
        ...     print(next(events).kind)
        status
        """
        events = self._gateway(*filter(None, [stream])).events(stream, after)
        self._listening.add(events)
        return events

    # Changes.

    def command(
        self,
        stream: str,
        do: str,
        *,
        id: str | None = None,
        by: str = AUTHOR,
        wait: float = PRODUCER_COMMAND_S,
        **arguments: Any,
    ) -> AppliedAnswer:
        """Change a stream by a command; its fields are the keywords, ``from_`` for `from`.

        The commands: stream.create, .delete, .set, .switch; models.add, .remove, .promote, .rebuild; class.rename,
        .merge, .delete; example.forget; undo. The answer's ``status`` is applied or unchanged, or accepted where it is
        durable and took no effect within ``wait``; ``catching_up`` says that a replay makes the rest of its effect.
        Raises CommandRefused where the stream stays as it was.

        >>> sent = client.send("shades", photos / "green" / "0.png", "green")
        >>> client.command("shades", "class.rename", from_="green", to="lime").status
        'applied'
        >>> client.command("shades", "stream.set", title="Shades", goal=0.9).status
        'applied'
        """
        fields = {name.rstrip("_"): value for name, value in arguments.items()}
        given = {"do": do, "id": id or composition.new_id(), "by": by, **fields}
        answer = self._gateway(stream).command(stream, given, wait)
        if answer.get("status") == "refused":
            raise CommandRefused(f"{stream} is unchanged: {answer.get('why')}")
        return parsed(AppliedAnswer, {"do": do, "status": "accepted", "why": "", **answer}, "answer to a command")

    def _read(self, kind: type[Read], stream: str, path: str = "", **params: str) -> Read:
        found = self._gateway(stream).read(f"/v1/streams/{stream}{path}", **params)
        return parsed(kind, found, "answer")

    def _gateway(self, *streams: str) -> GatewayClient:
        """The connected client. Raises WrongUsage for an invalid name of a stream, and after ``close``."""
        for stream in streams:
            check_stream(stream)
        if self._closing.is_set():
            raise WrongUsage(f"{self!r} is closed: make a new one")
        return self._connected


def _predicted(gateway: GatewayClient, stream: str, image: EncodedImage) -> Answer:
    try:
        return parsed(Answer, gateway.predict(stream, image.data, image.content_type), "prediction")
    except RequestRefused as refused:
        raise RequestRefused(refused.status_code, f"{image.name}: {refused}", refused.reason) from None


def _converter(stop: threading.Event) -> ModelConverter:
    return composition.model_converter(composition.load_settings(argparse.Namespace()), stop)
