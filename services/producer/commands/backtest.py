"""The command `backtest`: try models on the past of a stream, and say which of them would have been better."""

import json
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from prequel.services.producer.client import Client
from prequel.services.producer.commands.status import model_table
from prequel.services.producer.errors import GatewayError, ProducerError, RequestRefused, Stopped, WrongUsage
from prequel.services.producer.report import INTERRUPTED, check_stream, print_lines
from prequel.shared.backtests import CANCELLED, DONE, FAILED, WAITING, BacktestResult
from prequel.shared.runtime.deadlines import PRODUCER_BACKTEST_S

INVALID = 422


class BacktestOptions(NamedTuple):
    """``models`` are specs separated by commas, ``since`` is a position, ``last`` a number of examples.

    ``backbone`` is the beginning of an id; with it ``models`` may be None.
    """

    models: str | None
    since: str | None = None
    last: int | None = None
    as_json: bool = False
    backbone: str | None = None

    def body(self) -> dict[str, object]:
        """As the gateway takes it: what is not asked for is left out, which gateways of earlier versions know too."""
        asked = {"models": self.models, "backbone": self.backbone, "since": self.since, "last": self.last}
        return {name: value for name, value in asked.items() if value is not None}


def run_backtest(
    client: Client, stream: str, options: BacktestOptions, *, id: str, console: Console, stop: threading.Event
) -> int:
    """Ask for the back-test ``id``, wait for it, print its result; the exit code. Raises ProducerError.

    Where ``stop`` is set, it is cancelled, and the exit code is that of Ctrl-C.
    """
    check_stream(stream)
    client.check()
    try:
        _start(client, stream, options, id)
        with _progress(console, options) as progress:
            found = _wait(client, stream, id, progress, stop)
    except Stopped:
        found = None
    if found is None:
        with suppress(RequestRefused):  # It has ended meanwhile, and somebody has forgotten it.
            client.end_backtest(stream, id)
        print_lines(console, "cancelled")
        return INTERRUPTED
    if options.as_json:
        print(json.dumps(found, indent=2), file=console.file)
    else:
        print_lines(console, *_result_lines(stream, _parse(found["result"])))
    return 0


def _start(client: Client, stream: str, options: BacktestOptions, id: str) -> None:
    """Raises WrongUsage where the gateway names a wrong argument."""
    try:
        client.start_backtest(stream, id, options.body())
    except RequestRefused as refused:
        if refused.status_code == INVALID:
            raise WrongUsage(f"--{refused}") from None
        raise


def _wait(client: Client, stream: str, id: str, progress: Progress, stop: threading.Event) -> dict[str, Any] | None:
    """The back-test once it is done; None where ``stop`` is set before. Raises ProducerError, Stopped."""
    (task,) = progress.task_ids

    def show(found: dict[str, Any]) -> None:
        waits = " (waiting for others to end)" if found["status"] == WAITING else ""
        progress.update(task, completed=found["progress"], description=f"back-test of {stream}{waits}")

    return wait_for_backtest(client, stream, id, show, stop)


def wait_for_backtest(
    client: Client, stream: str, id: str, show: Callable[[dict[str, Any]], None], stop: threading.Event
) -> dict[str, Any] | None:
    """The back-test once it is done, each look at it shown; None where ``stop`` is set before. Blocks for as long.

    Raises ProducerError, Stopped.
    """
    while True:
        found = client.backtest(stream, id)
        if found is None:
            raise ProducerError(f"somebody has deleted the back-test, or stream {stream}")
        show(found)
        if found["status"] == DONE:
            return found
        if found["status"] == FAILED:
            raise ProducerError(f"the back-test failed: {found['why']}")
        if found["status"] == CANCELLED:
            raise ProducerError("somebody has cancelled the back-test")
        if stop.wait(PRODUCER_BACKTEST_S):
            return None


@contextmanager
def _progress(console: Console, options: BacktestOptions) -> Iterator[Progress]:
    """A bar, on a terminal; none where the output is for programs."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=options.as_json or not console.is_terminal) as progress:
        progress.add_task("back-test", total=1.0)
        yield progress


def _result_lines(stream: str, result: BacktestResult) -> list[str]:
    verdicts = [
        verdict.text + (_remedy(stream, model, result) if verdict.verdict == "better" else "")
        for model, verdict in result.verdicts.items()
    ]
    order = [] if result.label_order.mixed else [result.label_order.text]
    return [
        f"{result.images:,} images with {result.labelled:,} labels, from {result.begin} to {result.end}; "
        f"the champion is {result.champion}",
        *result.notes,
        *model_table(result.models),
        *(["", *verdicts, *order] if verdicts or order else []),
    ]


def _remedy(stream: str, model: str, result: BacktestResult) -> str:
    name = model.removesuffix(f" on {result.backbone}")
    steps = [f"prequel switch {stream} {result.backbone}"] if result.backbone else []
    if name != result.champion:
        steps += [f"prequel models {stream} {do} {shlex.quote(name)}" for do in ("add", "promote")]
    return f" To let it answer: {', then '.join(steps)}"


def _parse(result: object) -> BacktestResult:
    try:
        return BacktestResult.model_validate(result)
    except ValidationError as error:
        raise GatewayError(
            f"the gateway's result cannot be read ({error.errors()[0]['msg']}): use a command of its version"
        ) from None
