"""The composition root: what runs in which process, on which log and store, configured by the environment."""

import argparse
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.shared import extraction, invocation
from prequel.shared.config import PREFIX, ConfigError, Settings
from prequel.shared.environment import from_environment, unknown_settings
from prequel.shared.runtime import logs
from prequel.shared.runtime.deadlines import CONVERTER_SIGNAL_S, PRODUCER_RETRY_S
from prequel.shared.runtime.process import Process
from prequel.shared.runtime.signals import stop_on_signals

if TYPE_CHECKING:
    from prequel.services.extractor.backbones.base import Choice
    from prequel.services.extractor.extractor import ExtractorProcessor
    from prequel.services.gateway.export_process import StartExport
    from prequel.services.learner.learner import Learner
    from prequel.services.learner.replay.jobs.base import JobContext, Workers
    from prequel.services.offline.extraction.image_backbone import ImageBackbone
    from prequel.services.producer.client import Client
    from prequel.shared.model_files import ModelConverter, ModelFormat
    from prequel.shared.retention.keeper import RetentionKeeper
    from prequel.shared.store.base import Store

EXTRACTOR_CHECKPOINT_SECONDS = 1.0
"""The extractor has no state: a checkpoint only commits its position, which is cheap. A crash repeats the images since
the last one: at ten seconds that would be thousands, at a tenth of one the commits would cost as much as the work."""

SETTINGS_FROM_ARGUMENTS = ("data", "host", "port", "backbone", "models")
"""Settings that commands have as arguments too; an argument wins over the environment."""


def load_settings(arguments: argparse.Namespace, **overrides: object) -> Settings:
    """From the environment, the command's arguments over it, ``overrides`` over both. Raises ConfigError."""
    chosen = {name: getattr(arguments, name, None) for name in SETTINGS_FROM_ARGUMENTS}
    return from_environment(os.environ, **(chosen | overrides))


def configure_logging() -> None:
    """Set up the logging of this process, and warn of variables that are ignored. Raises ConfigError."""
    settings = from_environment(os.environ)
    logs.configure_logging(settings.log_level, settings.log_format)
    for remark in unknown_settings(os.environ):
        logging.getLogger("prequel").warning(remark)


def start_process(settings: Settings) -> Process:
    """A process on the log and the store of the settings, which SIGTERM and Ctrl-C stop."""
    process = Process(settings)
    stop_on_signals(process.stop)
    return process


def run_all(process: Process, announce: Callable[[str], None]) -> int:
    """Run extractor, learner and gateway in this process until it stops; the exit code.

    ``announce`` gets the gateway's address once it listens. Raises ConfigError.
    """
    on_demand = extraction.DeferredExtraction()
    try:
        learner = _start_learner(process, None)
        _start_extractor(process, None, on_demand)
        _serve(process, learner, announce, on_demand)
    finally:
        code = process.close()
    return code


def run_extractor(process: Process) -> int:
    """Run an extractor alone, beside its operations server, until the process stops; the exit code."""
    _start_keeper_if_embedded(process)
    on_demand = extraction.DeferredExtraction()
    return process.run_service(lambda address: _start_extractor(process, address, on_demand), on_demand)


def run_learner(process: Process) -> int:
    """Run a learner alone, beside its operations server, until the process stops; the exit code."""
    _start_keeper_if_embedded(process)
    return process.run_service(lambda address: _start_learner(process, address))


def run_gateway(process: Process, announce: Callable[[str], None]) -> int:
    """Run a gateway alone until the process stops; the exit code. ``announce`` as in ``run_all``."""
    try:
        _serve(process, None, announce)
    finally:
        code = process.close()
    return code


def run_job() -> int:
    """Do the job that a learner has sent on standard input; the exit code."""
    from prequel.services.learner.replay.jobs import child
    from prequel.services.learner.replay.jobs.kinds import KINDS

    return child.run(KINDS, job_context)


def job_workers(settings: Settings) -> "Workers":
    """Processes of this installation, with this one's environment but for its settings."""
    from prequel.services.learner.replay.jobs.child_process import ChildProcesses

    return ChildProcesses(_own_command("run-job"), _child_environ(settings), settings)


def _own_command(command: str) -> list[str]:
    """A command of this installation."""
    # -P: Python would look for modules in this folder first, wherever it was started.
    return [sys.executable, "-P", "-m", "prequel.services", command]


def _child_environ(settings: Settings) -> dict[str, str]:
    """This process's environment but for its settings, which are sent."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        f"{PREFIX}LOG_LEVEL": settings.log_level,
        f"{PREFIX}LOG_FORMAT": settings.log_format,
    }


def export_starter(settings: Settings) -> "StartExport":
    """Starts a process of this installation for each export."""
    from prequel.services.gateway.export_process import ExportProcess
    from prequel.services.learner.replay.jobs.child_process import ONE_THREAD, plain

    command, environ = _own_command("run-export"), {**_child_environ(settings), **ONE_THREAD}
    return lambda request: ExportProcess(command, environ, plain(settings), request)


def run_export() -> int:
    """Make the export that a gateway has ordered on standard input; the exit code."""
    from prequel.services.learner.exports import child

    return child.run(job_context)


def model_converter(settings: Settings, stop: threading.Event) -> "ModelConverter":
    """Makes Keras and ONNX files of models, each in a process of this installation.

    What it needs is imported with the first file: an image of the gateway alone has nothing of it, and says so then.
    """

    def convert(data: bytes, format: "ModelFormat") -> bytes:
        from functools import partial

        from prequel.shared.model_files import no_converter

        try:
            from prequel.services.extractor.backbones.registry import choose
            from prequel.services.offline.export.converter import ChildConverter
        except ModuleNotFoundError:
            return no_converter(data, format)
        return ChildConverter(partial(choose, settings=settings), _child_environ(settings), stop)(data, format)

    return convert


def connect_client(
    url: str, api_key: str | None, stop: threading.Event, timeout_s: float = PRODUCER_RETRY_S
) -> "Client":
    """A client of the gateway at ``url``, without an ``api_key`` with the first of PREQUEL_API_KEYS."""
    from prequel.services.producer.client import connect

    key = api_key or next(iter(from_environment(os.environ).keys), None)
    return connect(url, key, stop=stop, clock=time.monotonic, timeout_s=timeout_s)


def check_models(settings: Settings) -> list[str]:
    """The specs of the models that the settings ask for. Raises ConfigError where one is unknown."""
    from prequel.services.learner.fold.drift.reactions import check_spec
    from prequel.services.learner.models.registry import UnknownModel

    signed = bool(settings.snapshot_key.get_secret_value())
    try:
        return [check_spec(spec, signed=signed) for spec in settings.model_names]
    except UnknownModel as error:
        raise ConfigError(f"PREQUEL_MODELS={settings.models}: {error}") from error


def compile_fold(specs: Sequence[str]) -> None:
    """Compile what a fold of these models runs, or load it from the cache on disk, so that no example has to wait."""
    from prequel.services.learner.fold.calibration import calibrator
    from prequel.services.learner.fold.drift import adwin, feature_drift
    from prequel.services.learner.models import registry

    for spec in specs:
        registry.compile(spec, 8)
    calibrator.compile()
    feature_drift.compile()
    adwin.compile()


def cache_folder(settings: Settings) -> Path:
    """The folder of converted backbones. Raises ConfigError where neither a setting nor a home folder names one."""
    if settings.cache:
        return Path(settings.cache)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prequel"
    except RuntimeError as error:
        raise ConfigError(
            f"PREQUEL_CACHE is not set, and this user has no home folder ({error}): set it to a folder"
        ) from None


@contextmanager
def one_backbone(
    choice: "Choice", settings: Settings, store: "Store", stop: threading.Event
) -> "Iterator[tuple[ExtractorProcessor, str]]":
    """An extractor for this backbone alone, and the backbone's id. Raises ConfigError, ConversionInterrupted."""
    from prometheus_client import CollectorRegistry

    from prequel.services.extractor.reextraction.one_backbone import load_extractor
    from prequel.shared.images.encryption import ImageCipher
    from prequel.shared.runtime.metrics import Metrics

    extractor, backbone = load_extractor(
        choice,
        settings,
        cache=cache_folder(settings),
        environ=os.environ,
        metrics=Metrics(CollectorRegistry()),
        decrypt=ImageCipher(store).decrypt,
        stop=stop,
    )
    with closing(extractor):
        yield extractor, backbone


@contextmanager
def image_backbone(choice: "Choice", settings: Settings, stop: threading.Event) -> "Iterator[ImageBackbone]":
    """A backbone with its decoder, for work without a log. Raises ConfigError, ConversionInterrupted."""
    from prequel.services.offline.extraction.image_backbone import load_image_backbone

    loaded = load_image_backbone(choice, settings, cache=cache_folder(settings), environ=os.environ, stop=stop)
    with closing(loaded):
        yield loaded


def new_id() -> str:
    """A random id: of an event, of a command, of a learner."""
    return uuid.uuid4().hex


def _start_extractor(process: Process, address: str | None, on_demand: extraction.DeferredExtraction) -> None:
    """Start the extractor on a thread of its own, which loads its backbone, and then serves ``on_demand`` too.

    ``address`` is where gateways of other processes reach it; None in the gateway's own process.
    """
    from prequel.services.extractor import extractor
    from prequel.services.extractor.announcer import Announcer
    from prequel.services.extractor.engines.conversion import ConversionInterrupted
    from prequel.services.extractor.stream_backbones import StreamBackbones
    from prequel.shared.images.encryption import ImageCipher

    settings = process.settings
    streams = StreamBackbones(process.store, process.health)

    def run() -> None:
        try:
            processor = extractor.create(
                settings,
                streams,
                cache=cache_folder(settings),
                environ=os.environ,
                metrics=process.metrics,
                decrypt=ImageCipher(process.store).decrypt,
                stop=process.stop,
            )
        except ConversionInterrupted:
            # Ctrl-C reaches the converter before this process: the stop that follows is no failure.
            if process.stop.wait(CONVERTER_SIGNAL_S):
                return
            raise
        with closing(processor):
            on_demand.extraction = processor.on_demand()
            if address:
                announcer = Announcer(process.store, address, time.time)
                process.start("announcer", lambda: announcer.run(process.stop))
            process.start("backbones of streams", lambda: streams.run(process.stop))
            process.run_processor(processor, checkpoint_seconds=EXTRACTOR_CHECKPOINT_SECONDS)

    process.health.waits("extractor", f"loading backbone {settings.backbone}")
    process.start("extractor", run)


@contextmanager
def job_context(settings: Settings) -> "Iterator[JobContext]":
    """Log and store for a replay: nothing is created, and the embedded log removes nothing meanwhile."""
    from prequel.services.learner.models import registry
    from prequel.services.learner.replay.jobs.base import JobContext
    from prequel.shared.retention.pruning import ReplayableLog
    from prequel.shared.runtime.backends import open_log, open_store

    log, store = open_log(settings, create=False), open_store(settings, create=False)
    no_pruning = log.replay_lock() if isinstance(log, ReplayableLog) else nullcontext()
    with closing(log), closing(store), no_pruning:
        yield JobContext(settings=settings, log=log, store=store, registry=registry)


def _start_learner(process: Process, address: str | None) -> "Learner":
    """Start the learner on a thread of its own; returns it for queries. Raises ConfigError."""
    from prequel.services.learner.learner import Learner
    from prequel.services.learner.models import registry

    settings = process.settings
    specs = check_models(settings)
    learner = Learner(
        settings,
        log=process.log,
        store=process.store,
        registry=registry,
        metrics=process.metrics,
        clock=time.time,
        owner=new_id(),
        address=address,
        health=process.health,
        workers=job_workers(settings),
    )

    def run() -> None:
        compile_fold(specs)
        with closing(learner):
            process.run_processor(learner, checkpoint_seconds=settings.checkpoint_seconds, ready=learner.ready)

    process.health.waits("learner", "compiling the models")
    process.start("learner", run)
    return learner


def _start_keeper(process: Process) -> "RetentionKeeper":
    """Start to prune and measure the log on a thread of its own."""
    from prequel.shared.retention.keeper import RetentionKeeper

    keeper = RetentionKeeper(
        process.settings,
        log=process.log,
        store=process.store,
        metrics=process.metrics,
        health=process.health,
        clock=time.time,
    )
    process.start("retention", lambda: keeper.run(process.stop))
    return keeper


def _start_keeper_if_embedded(process: Process) -> None:
    """For an extractor or learner alone: no other process may be running that prunes the embedded log.

    Kafka's brokers prune by themselves, and its gateways measure it.
    """
    from prequel.shared.retention.pruning import PrunableLog

    if isinstance(process.log, PrunableLog):
        _start_keeper(process)


def _serve(
    process: Process,
    learner: "Learner | None",
    announce: Callable[[str], None],
    on_demand: extraction.DeferredExtraction | None = None,
) -> None:
    """Answer HTTP in this thread until the process stops. Raises ConfigError where it cannot listen."""
    from prequel.services.extractor.backbones import registry as backbones
    from prequel.services.gateway import app
    from prequel.services.gateway.assembly import Dependencies
    from prequel.services.gateway.http import serving

    try:
        listener = serving.listen(process.settings.host, process.settings.port)
    except serving.CannotListen as error:
        raise ConfigError(str(error)) from error
    keeper = _start_keeper(process)
    dependencies = Dependencies(
        settings=process.settings,
        log=process.log,
        store=process.store,
        queries=learner,
        metrics=process.metrics,
        health=process.health,
        clock=time.time,
        new_id=new_id,
        usage=lambda: keeper.newest,
        extraction=on_demand,
        backbone_problem=backbones.problem,
        start_export=export_starter(process.settings),
        convert_model=model_converter(process.settings, process.stop),
        invocation=invocation.invocation(sys.argv[0], sys.executable, Path.cwd(), os.environ),
    )
    gateway = app.create(dependencies)
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    serving.serve(gateway, listener, process.stop)
