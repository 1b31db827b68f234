"""`prequel backtest`, over the whole system in one process, and with a back-test that never ends."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from prequel.services.cli.main import main
from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.backtest import BacktestOptions, run_backtest
from prequel.services.producer.connection import GatewayConnection
from prequel.services.producer.errors import ProducerError, RequestRefused, Stopped, WrongUsage
from tests.gateway.conftest import Served, Start
from tests.gateway.conftest import start as start  # a fixture
from tests.gateway.echo_backtests import ENDLESS
from tests.producer.conftest import Stream, System
from tests.producer.test_delete import printed
from tests.producer.test_switch import OTHER, extract_again, wait_for
from tests.servers import plain_http


def backtest(client: Client, console: Console, models: str | None, id: str = "b1", **options: Any) -> int:
    asked = BacktestOptions(models, **options)
    return run_backtest(client, "pets", asked, id=id, console=console, stop=threading.Event())


@pytest.fixture
def pets(stream: Stream, photos: Callable[[int], Path]) -> None:
    """A stream of 30 images."""
    stream(photos(10), "pets")


@pytest.mark.usefixtures("pets")
def test_a_back_test_is_shown_as_a_table_and_in_sentences(system: System, client: Client, console: Console) -> None:
    assert backtest(client, console, "ncm, slda") == 0
    lines = printed(console).splitlines()
    about = next(line for line in lines if "the champion is" in line)
    assert about.startswith("30 images with 30 labels, from 0:")
    assert about.endswith("the champion is nearest")
    assert [line.split()[0] for line in lines if line.split()[1:2] == ["29"]] == ["nearest", "ncm", "slda"]
    assert (
        sum("nearest" in line and ("cannot be told apart" in line or "would have been" in line) for line in lines) == 2
    )


@pytest.mark.usefixtures("pets")
def test_programs_get_json(system: System, client: Client, console: Console) -> None:
    assert backtest(client, console, "ncm", last=12, as_json=True) == 0
    answer = json.loads(printed(console)[printed(console).index("{") :])
    assert (answer["status"], answer["last"], answer["result"]["images"]) == ("done", 12, 12)
    assert set(answer["result"]["models"]) == {"nearest", "ncm"}


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize(
    ("models", "options", "why"),
    [
        ("ridgee", {}, "--models: there is no model 'ridgee'.*did you mean ridge"),
        ("ncm", {"since": "7:3"}, "--since: the events of this stream are in partition 0"),
        ("ncm", {"last": 0}, "--last: must be 1 or more"),
        ("", {}, "--models: must name models, separated by commas, as in slda,ridge;width=1024"),
        ("ncm, ", {}, "--models: must name models, separated by commas"),
        (None, {}, "--models: is missing"),
        (
            None,
            {"backbone": "compact"},
            "--backbone: the log has no features.*: prequel reextract pets --backbone compact",
        ),
    ],
)
def test_a_wrong_argument_is_named(
    client: Client, console: Console, models: str, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(WrongUsage, match=why):
        backtest(client, console, models, **options)


def test_an_unknown_stream_is_an_error(client: Client, console: Console) -> None:
    with pytest.raises(RequestRefused, match="there is no stream pets"):
        backtest(client, console, "ncm")


@pytest.mark.usefixtures("pets")
def test_the_exit_codes_are_those_of_other_commands(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["backtest", "pets", "--models", "ncm", "--url", system.url]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["champion"] == "nearest"
    assert main(["backtest", "pets", "--models", "ncmm", "--url", system.url]) == 2
    assert "prequel: --models: there is no model 'ncmm'" in capsys.readouterr().err
    assert main(["backtest", "petz", "--models", "ncm", "--url", system.url]) == 1
    assert "did you mean pets?" in capsys.readouterr().err


# One that does not end.


@pytest.fixture
def endless(start: Start) -> Served:
    gateway = start()
    assert gateway.post_image(id="i1", wait=10).status_code == 200
    return gateway


def test_ctrl_c_cancels_it_at_the_gateway(endless: Served, console: Console) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with closing(connect(endless.url, None, stop=stop, clock=time.monotonic)) as client:
        code = run_backtest(client, "pets", BacktestOptions("ridge", last=ENDLESS), id="b1", console=console, stop=stop)
    assert (code, printed(console)) == (130, "cancelled\n")
    assert endless.client.get("/v1/streams/pets/backtests").json()["backtests"] == []


def test_ctrl_c_cancels_one_whose_answer_did_not_come(endless: Served, console: Console) -> None:
    stop = threading.Event()

    class Answerless(Client):
        def start_backtest(self, stream: str, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
            super().start_backtest(stream, id, body)
            stop.set()
            raise Stopped("stopped before the gateway answered")

    connection = GatewayConnection(plain_http.client(endless.url, timeout=30), stop, time.monotonic, timeout_s=5)
    with closing(Answerless(connection)) as client:
        code = run_backtest(client, "pets", BacktestOptions("ridge", last=ENDLESS), id="b1", console=console, stop=stop)
    assert (code, printed(console)) == (130, "cancelled\n")
    assert endless.client.get("/v1/streams/pets/backtests").json()["backtests"] == []


def test_one_that_somebody_deletes_is_an_error(endless: Served, console: Console) -> None:
    with closing(connect(endless.url, None, stop=threading.Event(), clock=time.monotonic)) as client:
        threading.Timer(0.3, lambda: endless.client.delete("/v1/streams/pets/backtests/b1")).start()
        with pytest.raises(ProducerError, match="somebody has deleted the back-test"):
            backtest(client, console, "ridge", last=ENDLESS)


def test_what_would_have_been_better_is_said_with_how_to_use_it(endless: Served, console: Console) -> None:
    with closing(connect(endless.url, None, stop=threading.Event(), clock=time.monotonic)) as client:
        assert backtest(client, console, "ridge") == 0
    assert (
        "ridge would have been better than echo on 100 labels: 90.0 % against 80.0 %. "
        "To let it answer: prequel models pets add ridge, then prequel models pets promote ridge"
    ) in printed(console)


@pytest.mark.parametrize(
    ("models", "remedy"),
    [
        (
            None,
            "echo on compact would have been better than echo on 100 labels: 90.0 % against 80.0 %. "
            "To let it answer: prequel switch pets compact\n",
        ),
        (
            "ridge",
            "To let it answer: prequel switch pets compact, then prequel models pets add ridge, "
            "then prequel models pets promote ridge\n",
        ),
    ],
)
def test_another_backbone_that_would_have_been_better_is_said_with_the_switch(
    endless: Served, console: Console, models: str | None, remedy: str
) -> None:
    with closing(connect(endless.url, None, stop=threading.Event(), clock=time.monotonic)) as client:
        assert backtest(client, console, models, backbone="compact") == 0
    assert remedy in printed(console)


@pytest.fixture
def twice(stream: Stream, photos: Callable[[int], Path], system: System, client: Client) -> None:
    """A stream of nine images, eight of which have features of another backbone."""
    stream(photos(3))
    extract_again(system, 8)
    wait_for(client, lambda status: status.other_features == {OTHER: 8})


@pytest.mark.usefixtures("twice")
def test_another_backbone_is_compared_on_the_images_that_have_both(client: Client, console: Console) -> None:
    asked = BacktestOptions(None, backbone="dark")
    assert run_backtest(client, "colours", asked, id="b1", console=console, stop=threading.Event()) == 0
    lines = printed(console).splitlines()
    assert next(line for line in lines if "the champion is" in line).startswith("8 images with 8 labels")
    assert f"1 image has no features of {OTHER}, and no part in this" in " ".join(lines)
    rows = [line for line in lines if line.startswith("nearest ") and "would" not in line and "told" not in line]
    assert [row.split()[0:2] for row in rows] == [["nearest", "7"], ["nearest", "on"]]
