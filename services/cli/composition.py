"""The command line and the composition root: what runs in which process, on which log and store."""

import argparse
import errno
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prequel import __version__
from prequel.shared import extraction, invocation
from prequel.shared.config import ConfigError, Settings
from prequel.shared.environment import from_environment, remarks
from prequel.shared.invocation import DEFAULT_URL
from prequel.shared.log.base import LogUnavailable
from prequel.shared.runtime import logs
from prequel.shared.runtime.deadlines import CONVERTER_SIGNAL_S
from prequel.shared.runtime.process import Process, open_log, open_store
from prequel.shared.runtime.signals import ending_signals, stop_on_signals
from prequel.shared.store.base import Fenced, StoreUnavailable

if TYPE_CHECKING:
    from rich.console import Console

    from prequel.services.learner.learner import Learner
    from prequel.services.producer.client import Client
    from prequel.services.producer.confirmation import Asking
    from prequel.shared.log.base import Log
    from prequel.shared.retention.keeper import Keeper

EXTRACTOR_CHECKPOINT_SECONDS = 1.0
"""The extractor has no state: it only commits how far it is, which costs little."""

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended."""

WRONG_USAGE = 2
"""The exit code of a wrong command line, as argparse has it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing to standard output says where its file cannot grow. Log and store have errors of their own for it."""

READER_GONE = 141
"""The exit code of a program whose reader went away, as shells have it: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Usage errors and wrong settings end with 2 and a message."""
    _open_standard_files()
    chosen = _parser().parse_args(arguments)
    try:
        _begin_to_log()
        code = int(chosen.run(chosen))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read what we print has read enough (`| head`). What is still buffered must not fail at exit.
        _print_nothing_more()
        return READER_GONE
    except KeyboardInterrupt:
        # Before a command listens to signals itself it is only importing: there is nothing to finish.
        return INTERRUPTED
    except ConfigError as error:
        print(f"prequel: {error}", file=sys.stderr)
        return 2
    except (LogUnavailable, StoreUnavailable, Fenced) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        _print_nothing_more()
        print(
            f"prequel: the output cannot be written: {error.strerror}. Give it room, or another file", file=sys.stderr
        )
        return 1


def _open_standard_files() -> None:
    """Where the caller has closed one (`>&-`), nothing else that is opened may get its number, and be printed into."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    # Python has None where a file was closed, and flushing and printing to that fails.
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _print_nothing_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _begin_to_log() -> None:
    """Set the logging of this process up, and say what of the environment is ignored. Raises ConfigError."""
    settings = from_environment(os.environ)
    logs.configure(settings.log_level, settings.log_format)
    for remark in remarks(os.environ):
        logging.getLogger("prequel").warning(remark)


# Commands that serve.


def _extract(process: Process, address: str | None, on_demand: extraction.Later) -> None:
    """Begin to extract on a thread of its own; the backbone is loaded there, and then given to ``on_demand`` too.

    Where gateways reach that is announced in the store: ``address``, None in the gateway's own process.
    """
    from prequel.services.extractor import extractor
    from prequel.services.extractor.announcer import Announcer
    from prequel.services.extractor.engines.conversion import Interrupted

    settings = process.settings

    def run() -> None:
        process.health.waits("extractor", f"loading backbone {settings.backbone}")
        try:
            processor = extractor.create(
                settings, cache=_cache(settings), environ=os.environ, metrics=process.metrics, stop=process.stop
            )
        except Interrupted:
            if process.stop.wait(CONVERTER_SIGNAL_S):
                return
            raise
        with closing(processor):
            on_demand.found = processor.on_demand()
            if address:
                announcer = Announcer(process.store, processor.backbone.id, address, time.time)
                process.start("announcer", lambda: announcer.run(process.stop))
            process.drive(processor, checkpoint_seconds=EXTRACTOR_CHECKPOINT_SECONDS)

    process.start("extractor", run)


def _learn(process: Process, address: str | None) -> "Learner":
    """Begin to learn on a thread of its own; the learner, for queries. Raises ConfigError."""
    from prequel.services.learner.learner import Learner
    from prequel.services.learner.models import registry

    settings = process.settings
    specs = _models(settings)
    learner = Learner(
        settings,
        log=process.log,
        store=process.store,
        table=registry,
        metrics=process.metrics,
        clock=time.time,
        owner=_new_id(),
        address=address,
        health=process.health,
    )

    def run() -> None:
        process.health.waits("learner", "compiling the models")
        for spec in specs:
            registry.compile(spec, 8)
        process.drive(learner, checkpoint_seconds=settings.checkpoint_seconds, ready=learner.ready)

    process.start("learner", run)
    return learner


def _keep(process: Process) -> "Keeper":
    """Begin to prune and measure the log on a thread of its own."""
    from prequel.shared.retention.keeper import Keeper

    keeper = Keeper(
        process.settings,
        log=process.log,
        store=process.store,
        metrics=process.metrics,
        health=process.health,
        clock=time.time,
    )
    process.start("retention", lambda: keeper.run(process.stop))
    return keeper


def _keep_embedded(process: Process) -> None:
    """Of several processes any may be alone with the log; Kafka's is measured by gateways, and pruned by brokers."""
    from prequel.shared.retention.pruning import Prunable

    if isinstance(process.log, Prunable):
        _keep(process)


def _serve(
    process: Process,
    learner: "Learner | None",
    announce: Callable[[str], None],
    on_demand: extraction.Later | None = None,
) -> None:
    """Answer HTTP in this thread until the process stops. Raises ConfigError where nobody can listen there."""
    from prequel.services.gateway import app
    from prequel.services.gateway.http import serving

    try:
        listener = serving.listen(process.settings.host, process.settings.port)
    except serving.CannotListen as error:
        raise ConfigError(str(error)) from error
    keeper = _keep(process)
    gateway = app.create(
        process.settings,
        log=process.log,
        store=process.store,
        queries=learner,
        metrics=process.metrics,
        health=process.health,
        clock=time.time,
        new_id=_new_id,
        usage=lambda: keeper.newest,
        extraction=on_demand,
        invocation=invocation.invocation(sys.argv[0], sys.executable, Path.cwd(), os.environ),
    )
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    serving.serve(gateway, listener, process.stop)


def _up(chosen: argparse.Namespace) -> int:
    process = Process(_settings(chosen))
    stop_on_signals(process.stop)
    return _all_in_one(process, lambda url: print(f"Prequel is at {url}", flush=True))


def _all_in_one(process: Process, announce: Callable[[str], None]) -> int:
    on_demand = extraction.Later()
    try:
        learner = _learn(process, None)
        _extract(process, None, on_demand)
        _serve(process, learner, announce, on_demand)
    finally:
        code = process.close()
    return code


def _extractor(chosen: argparse.Namespace) -> int:
    process = Process(_settings(chosen))
    stop_on_signals(process.stop)
    _keep_embedded(process)
    on_demand = extraction.Later()

    def extract(address: str) -> None:
        _extract(process, address, on_demand)

    return process.operate(extract, on_demand)


def _learner(chosen: argparse.Namespace) -> int:
    process = Process(_settings(chosen))
    stop_on_signals(process.stop)
    _keep_embedded(process)
    return process.operate(lambda address: _learn(process, address))


def _gateway(chosen: argparse.Namespace) -> int:
    process = Process(_settings(chosen))
    stop_on_signals(process.stop)
    try:
        _serve(process, None, lambda url: print(f"gateway at {url}", flush=True))
    finally:
        code = process.close()
    return code


def _demo(chosen: argparse.Namespace) -> int:
    from prequel.services.producer.commands import demo

    with TemporaryDirectory(prefix="prequel-demo-") as folder:
        settings = _settings(chosen, data=chosen.data or Path(folder))
        process, stay = Process(settings), sys.stdout.isatty() and not chosen.exit
        stop_on_signals(process.stop)
        show = demo.Demo(_console(), stop=process.stop, clock=time.monotonic, stay=stay, summary=chosen.summary)
        return max(_all_in_one(process, lambda url: show.start(_client(url, chosen, process.stop), url)), show.finish())


def _rebuild(chosen: argparse.Namespace) -> int:
    from prequel.services.cli.rebuild import rebuild
    from prequel.services.learner.models import registry
    from prequel.services.learner.replay.rebuild import Rebuild
    from prequel.shared.retention.pruning import Replayed

    settings = _settings(chosen)
    _models(settings)
    stop = threading.Event()
    stop_on_signals(stop)
    # There is nothing to fold where there is no log: a mistyped folder must not become one. A lost store is made anew,
    # but not by who only compares: an empty log equals an empty store.
    log, store = open_log(settings, create=False), open_store(settings, create=not chosen.verify)
    # The embedded log removes nothing meanwhile; Kafka's brokers do as their topics say.
    undisturbed = log.replaying() if isinstance(log, Replayed) else nullcontext()
    with closing(log), closing(store), undisturbed:
        return rebuild(
            _console(),
            lambda advance: Rebuild(settings, log, store, registry, advance, stop, now=time.time()),
            verify=chosen.verify,
            threads=os.cpu_count() or 1,
            owner=_new_id(),
        )


def _topics(chosen: argparse.Namespace) -> int:
    from prequel.shared import topics

    settings = _settings(chosen)
    with closing(open_log(settings)) as log:
        if not isinstance(log, topics.Cluster):
            print(f"{settings.log_url} is the embedded log: its topics need no set-up")
            return 0
        for created in [] if chosen.check else topics.create(log, settings):
            print(f"created topic {settings.kafka_topic_prefix}{created}")
        wrong = [str(mismatch) for mismatch in topics.check(log, settings)] + _kept_too_short(log, settings)
    for mismatch in wrong:
        print(mismatch, file=sys.stderr)
    print("topics are as they should be" if not wrong else f"{len(wrong)} settings of topics are not as they should be")
    return int(bool(wrong))


def _kept_too_short(log: "Log", settings: Settings) -> list[str]:
    """Print what somebody chose, and return what will not do; without a store nobody knows what windows need."""
    from prequel.shared import topics
    from prequel.shared.log.kafka.retention_check import judge

    assert isinstance(log, topics.Cluster)
    with closing(open_store(settings)) as store:
        try:
            judged = judge(log, log, store, settings, time.time())
        except StoreUnavailable as error:
            print(f"whether topics are kept as long as windows need was not looked at: {error}")
            return []
    for remark in judged.remarks:
        print(remark)
    return [str(each) for each in judged.wrong]


def _prune(chosen: argparse.Namespace) -> int:
    from prequel.services.cli.prune import prune

    settings, stop = _settings(chosen), threading.Event()
    stop_on_signals(stop)
    with closing(open_log(settings, create=False)) as log, closing(open_store(settings, create=False)) as store:
        for line in prune(log, store, settings, stop, time.time):
            print(line, flush=True)
    return INTERRUPTED if stop.is_set() else 0


def _doctor(chosen: argparse.Namespace) -> int:
    from rich.text import Text

    from prequel.shared.doctor import examine

    settings, console = _settings(chosen), _console()
    with closing(open_log(settings, create=False)) as log, closing(open_store(settings, create=False)) as store:
        ill = 0
        for finding in examine(settings, log, store, time.time()):
            ill += not finding.well
            sign = Text("ok", "green") if finding.well else Text("no", "red")
            console.print(sign, Text(f"{finding.subject}: {finding.found}"), soft_wrap=True)
            if not finding.well:
                console.print(Text(f"   {finding.remedy}"), soft_wrap=True)
    return int(ill > 0)


# Commands that talk to a gateway.


def _stream(chosen: argparse.Namespace) -> int:
    from prequel.services.producer import report
    from prequel.services.producer.commands import stream

    def run(client: "Client", console: "Console", stop: threading.Event) -> int:
        summary = stream.stream_images(
            client,
            chosen.stream,
            chosen.source,
            labels=chosen.labels,
            label_delay=chosen.label_delay,
            rate=chosen.rate,
            shuffle=chosen.shuffle,
            correct=chosen.correct,
            console=console,
            stop=stop,
            clock=time.monotonic,
            asking=_asking_whom(chosen, console),
        )
        return report.exit_code(summary)

    return _asking(chosen, run)


def _label(chosen: argparse.Namespace) -> int:
    from prequel.services.producer.commands.label import label_image

    label = None if chosen.retract else chosen.label
    return _asking(
        chosen,
        lambda client, console, stop: label_image(
            client, chosen.stream, chosen.id, label, console, asking=_asking_whom(chosen, console)
        ),
    )


def _delete(chosen: argparse.Namespace) -> int:
    from prequel.services.producer.commands.delete import delete_stream

    return _asking(
        chosen,
        lambda client, console, stop: delete_stream(
            client, chosen.stream, _asking_whom(chosen, console), console, _new_id
        ),
    )


def _asking_whom(chosen: argparse.Namespace, console: "Console") -> "Asking":
    """Whoever sits at the terminal, if it is one on both sides."""
    from prequel.services.producer.confirmation import Asking

    def ask(question: str) -> str:
        try:
            with ending_signals():
                return input(question)
        except EOFError:
            print()
            return ""
        except KeyboardInterrupt:
            print()
            raise SystemExit(INTERRUPTED) from None

    return Asking(console, ask if sys.stdin.isatty() and sys.stdout.isatty() else None, yes=chosen.yes)


def _status(chosen: argparse.Namespace) -> int:
    from prequel.services.producer.commands.status import show_status

    return _asking(chosen, lambda client, console, stop: show_status(client, chosen.stream, chosen.json, console))


def _asking(chosen: argparse.Namespace, run: Callable[["Client", "Console", threading.Event], int]) -> int:
    from prequel.services.producer.client import GatewayError
    from prequel.services.producer.sources.base import ProducerError, WrongUsage

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        with closing(_client(chosen.url, chosen, stop)) as client:
            return run(client, _console(), stop)
    except (GatewayError, ProducerError) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongUsage) else 1


def _client(url: str, chosen: argparse.Namespace, stop: threading.Event) -> "Client":
    from prequel.services.producer.client import connect

    key = getattr(chosen, "api_key", None) or next(iter(from_environment(os.environ).keys), None)
    return connect(url, key, stop=stop, clock=time.monotonic)


# The parts.


def _settings(chosen: argparse.Namespace, **given: object) -> Settings:
    names = ("data", "host", "port", "backbone", "models")
    return from_environment(os.environ, **({name: getattr(chosen, name, None) for name in names} | given))


def _models(settings: Settings) -> list[str]:
    """The specs of the models that the settings ask for. Raises ConfigError."""
    from prequel.services.learner.fold.drift_reactions import checked
    from prequel.services.learner.models.registry import UnknownModel

    signed = bool(settings.snapshot_key.get_secret_value())
    try:
        return [checked(spec, signed=signed) for spec in settings.model_names]
    except UnknownModel as error:
        raise ConfigError(f"PREQUEL_MODELS={settings.models}: {error}") from error


def _console() -> "Console":
    from rich.console import Console

    return Console()


def _cache(settings: Settings) -> Path:
    """Raises ConfigError where neither a setting nor a home says where."""
    if settings.cache:
        return Path(settings.cache)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prequel"
    except RuntimeError as error:
        raise ConfigError(f"PREQUEL_CACHE is not set, and this user has no home ({error}): name a folder") from None


def _new_id() -> str:
    return uuid.uuid4().hex


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prequel", description="Teach a model from a live stream of images.")
    parser.add_argument("--version", action="version", version=f"prequel {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "run everything in this process")
    demo = command("demo", _demo, "stream handwritten digits into a model and show the page")
    for each in (up, demo):
        each.add_argument("--data", type=Path, help="folder of the log and the store")
        each.add_argument("--host", help="address to listen on")
        each.add_argument("--port", type=int, help="port to listen on; 0: any free one")
        each.add_argument("--backbone", help="compact, or a keras.applications model")
        each.add_argument("--models", help="comma-separated; the first is the champion")
    demo.add_argument("--exit", action="store_true", help="end when all digits are learned")
    demo.add_argument("--summary", type=Path, metavar="FILE.json", help="write the result there")
    rebuild = command("rebuild", _rebuild, "fold the log from its start into new snapshots")
    rebuild.add_argument("--data", type=Path, help="folder of the log and the store")
    rebuild.add_argument("--verify", action="store_true", help="only compare with the snapshots there are")
    topics = command("topics", _topics, "create the topics on Kafka and check that they are as they should be")
    topics.add_argument("--check", action="store_true", help="only check")
    prune = command("prune", _prune, "remove at once what retention lets go, and give the disk its room back")
    prune.add_argument("--data", type=Path, help="folder of the log and the store")
    doctor = command("doctor", _doctor, "look at log, store, clock, disk, GPU and keys, and say what to do")
    doctor.add_argument("--data", type=Path, help="folder of the log and the store")
    command("extractor", _extractor, "run the extractor alone")
    command("learner", _learner, "run the learner alone")
    command("gateway", _gateway, "run the gateway alone")
    stream = command("stream", _stream, "stream a folder, an image or `digits` into a stream")
    stream.add_argument("source", help="a folder, an image, or: digits")
    stream.add_argument("--stream", required=True, metavar="S", help="name of the stream")
    stream.add_argument("--labels", metavar="folder|filename|csv:FILE[#COLUMN]|none", help="where labels come from")
    stream.add_argument("--label-delay", type=int, default=0, metavar="N", help="send labels N images later")
    stream.add_argument("--rate", type=float, default=0.0, metavar="R", help="images per second; 0: as fast as it goes")
    stream.add_argument("--shuffle", type=int, metavar="SEED", help="in a random order")
    stream.add_argument("--correct", action="store_true", help="correct what an earlier run said otherwise")
    label = command("label", _label, "say what an image shows, correct it, or take it back")
    label.add_argument("stream")
    label.add_argument("id")
    which = label.add_mutually_exclusive_group(required=True)
    which.add_argument("label", nargs="?")
    which.add_argument("--retract", action="store_true", help="take the label back")
    delete = command("delete", _delete, "end a stream, and all that was learned in it")
    delete.add_argument("stream")
    for each in (stream, label, delete):
        each.add_argument("--yes", action="store_true", help="do not ask")
    status = command("status", _status, "show one stream, or all")
    status.add_argument("stream", nargs="?")
    status.add_argument("--json", action="store_true")
    for each in (stream, label, delete, status):
        each.add_argument("--url", default=DEFAULT_URL, help=f"the gateway ({DEFAULT_URL})")
        each.add_argument("--api-key", help="one of the gateway's keys; else PREQUEL_API_KEYS")
    return parser
