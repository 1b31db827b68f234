"""The commands that run services: `up`, `extractor`, `learner`, `gateway`."""

import argparse

from prequel.services.cli.commands.base import CliCommand, add_data_argument


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """For commands that run all services in one process."""
    add_data_argument(parser)
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0: any free one")
    parser.add_argument("--backbone", help="compact, or a keras.applications model")
    parser.add_argument("--models", help="comma-separated; the first is the champion")


def _run_all(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    process = composition.start_process(composition.load_settings(arguments))
    return composition.run_all(process, lambda url: print(f"Prequel is at {url}", flush=True))


def _run_extractor(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    return composition.run_extractor(composition.start_process(composition.load_settings(arguments)))


def _run_learner(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    return composition.run_learner(composition.start_process(composition.load_settings(arguments)))


def _run_gateway(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    process = composition.start_process(composition.load_settings(arguments))
    return composition.run_gateway(process, lambda url: print(f"gateway at {url}", flush=True))


def _run_job(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    return composition.run_job()


def _run_export(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition

    return composition.run_export()


UP = CliCommand("up", "run all services in this process", _run_all, add_service_arguments)
EXTRACTOR = CliCommand("extractor", "run the extractor alone", _run_extractor)
LEARNER = CliCommand("learner", "run the learner alone", _run_learner)
GATEWAY = CliCommand("gateway", "run the gateway alone", _run_gateway)
RUN_JOB = CliCommand("run-job", "do one job of a learner, which starts this itself: a replay of the log", _run_job)
RUN_EXPORT = CliCommand("run-export", "make one export, for a gateway, which starts this itself", _run_export)
