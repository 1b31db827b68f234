"""The command line on unusual systems: no home folder, odd paths, closed files, Ctrl-C while it starts."""

import argparse
import gc
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from prequel import __version__
from prequel.services.cli.composition import cache_folder, job_workers
from prequel.services.cli.exit_codes import BROKEN_PIPE, INTERRUPTED, WRONG_USAGE
from prequel.services.cli.main import main
from prequel.services.cli.parser import COMMANDS
from prequel.services.learner.replay.jobs.base import Job, JobFailed
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import EXAMPLES, TOPICS
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.backends import open_log, open_store
from prequel.shared.runtime.garbage_collection import YOUNG_OBJECTS
from prequel.shared.store.sqlite import SqliteStore
from tests.e2e.processes import DEADLINE_S, ROOT, eventually, free_port


def test_every_command_has_garbage_collected_as_seldom_as_a_fold_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREQUEL_WINDOW", "wrong")
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        assert main(["up"]) == WRONG_USAGE
        assert gc.get_threshold() == (YOUNG_OBJECTS, 10, 10)
    finally:
        gc.set_threshold(*before)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder, as in a container whose user is not in /etc/passwd."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_must_set_the_cache_folder() -> None:
    assert cache_folder(Settings.model_validate({"cache": "/cache"})) == Path("/cache")
    with pytest.raises(
        ConfigError, match=r"PREQUEL_CACHE is not set, and this user has no home folder .*: set it to a folder"
    ):
        cache_folder(Settings.model_validate({}))


def test_ctrl_c_while_the_backbone_is_converted_ends_the_process(tmp_path: Path) -> None:
    given = {"PREQUEL_DATA": str(tmp_path), "PREQUEL_CACHE": str(tmp_path / "cache"), "PREQUEL_OPS_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "services", "up", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, **given, "PREQUEL_ENGINE": "auto"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually(lambda: list(tmp_path.glob("cache/converting-*")), "a conversion has begun")
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output
    assert "Keras runs it instead" not in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("cache/converting-*")), "half a conversion was left behind"


def test_the_doctor_prints_paths_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "[bold]a[" / "[" / "cat:cat:[red]"
    monkeypatch.setenv("PREQUEL_WEIGHTS", f"{folder}/none.h5")
    settings = Settings.model_validate({"data": folder})
    with closing(open_log(settings)) as log, closing(open_store(settings)) as store:
        assert (log.bounds(EXAMPLES)[0].end, store.keys("")) == (0, [])
    assert main(["doctor", "--data", str(folder)]) == 1
    output = capsys.readouterr().out
    assert f"sqlite:///{folder}" in output
    assert f"{folder}/none.h5" in output
    assert "\nproblem backbone: " in output


@pytest.mark.parametrize(
    ("models", "output"), [("slad", "PREQUEL_MODELS=slad"), ("river:naive_bayes.GaussianNB", "PREQUEL_SNAPSHOT_KEY")]
)
def test_a_rebuild_refuses_models_that_a_learner_would_refuse(
    models: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREQUEL_MODELS", models)
    assert main(["rebuild", "--data", str(tmp_path)]) == 2
    assert output in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["doctor"], ["prune"], ["rebuild"], ["rebuild", "--verify"]])
def test_commands_on_a_missing_log_create_nothing(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--data", str(tmp_path / "mistyped")]) == 1
    output = "".join(capsys.readouterr())
    assert f"{tmp_path}/mistyped/log" in output
    assert "does not exist: nothing was stored there. Check --data" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["stream", ".", "--stream", "Pets"],
        ["stream", ".", "--stream", "pets", "--labels", "names"],
        ["stream", ".", "--stream", "pets", "--rate", "-1"],
        ["stream", ".", "--stream", "pets", "--label-delay", "-1"],
        ["stream", ".", "--stream", "pets", "--url", "127.0.0.1:8000"],
        ["label", "pets", "an id", "cat"],
        ["label", "pets", "1"],
        ["label", "pets", "1", "cat", "--retract"],
        ["label", "pets", "1", "cat", "--csv", "labels.csv"],
        ["label", "pets", "1", "cat", "--why", "No reason"],
        ["stream", "digits", "--stream", "pets", "--order", "name", "--shuffle", "1"],
        ["label", "pets", "1", "c\nt"],
        ["label", "a/b", "1", "cat"],
        ["status", "a/b"],
        ["classes", "a/b"],
        ["classes", "pets", "rename", "cat", "cat"],
        ["classes", "pets", "merge", "cat"],
        ["classes", "pets", "delete", "c\nt"],
        ["models", "pets", "add"],
        ["models", "pets", "rebuild", "ridge"],
        ["models", "pets", "--from", "now"],
        ["set", "pets", "window"],
        ["set", "pets", "gaol=0.9"],
        ["set", "pets", "goal=inf"],
        ["undo", "pets", "no id"],
        ["forget", "pets", "no id"],
        ["history", "a/b"],
    ],
)
def test_every_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr().err
    assert output.startswith("prequel: ")
    assert "]{" not in output, "the message shows a regular expression"


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"prequel {__version__}\n"


def test_help_and_version_import_nothing_heavy() -> None:
    """A command imports what it needs when it runs: shell completion and curious users need not wait for numpy."""
    program = (
        "import sys; from prequel.services.cli.parser import create_parser; create_parser().format_help();"
        "print([name for name in ('numpy', 'pydantic', 'httpx', 'rich', 'fastapi', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_closed_pipe_ends_the_command_without_a_message(tmp_path: Path) -> None:
    """As `| head -0` does: closed before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "services", "topics"]
    environ = {**os.environ, "PREQUEL_DATA": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=writing, stderr=subprocess.PIPE, timeout=DEADLINE_S)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == BROKEN_PIPE


def test_unknown_variables_are_reported_and_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PREQUEL_DATA", str(tmp_path))
    monkeypatch.setenv("PREQUEL_WINDOWS", "3")
    monkeypatch.setenv("PREQUEL_GATEWAY_PORT", "tcp://10.0.0.5:8000")
    assert main(["topics"]) == 0
    assert "did you mean PREQUEL_WINDOW?" in caplog.text
    assert "PREQUEL_GATEWAY_PORT" in caplog.text


def test_logs_are_json_where_the_setting_says_so(tmp_path: Path) -> None:
    environ = {**os.environ, "PREQUEL_DATA": str(tmp_path), "PREQUEL_LOG_FORMAT": "json", "PREQUEL_WINDOWS": "3"}
    command = [sys.executable, "-m", "services", "topics"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=DEADLINE_S, check=True)
    (line,) = done.stderr.splitlines()
    assert "PREQUEL_WINDOW?" in orjson.loads(line)["message"]
    quiet = environ | {"PREQUEL_LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, timeout=DEADLINE_S, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_standard_files_that_the_caller_closed_change_nothing(closed: str, stored: Path) -> None:
    """As cron and some supervisors start programs: files that are opened later must not get these numbers."""
    done = _in_shell(f"rebuild --data {stored} {closed}")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    assert (stored / "store.sqlite").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("command", ["topics", "rebuild --data FOLDER"])
def test_output_to_a_full_disk_is_an_error_message(command: str, stored: Path) -> None:
    done = _in_shell(f"{command.replace('FOLDER', str(stored))} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "prequel: cannot write the output: No space left on device. Free some space, or write to another file"
    ]


def test_ctrl_c_while_a_command_imports_ends_without_a_message(tmp_path: Path) -> None:
    """Its settings are read from a pipe here into which nobody writes."""
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    process = subprocess.Popen(
        [sys.executable, "-m", "services", "doctor"],
        cwd=ROOT,
        env=os.environ | {"PREQUEL_API_KEYS_FILE": str(secret), "PREQUEL_DATA": str(tmp_path)},
        stderr=subprocess.PIPE,
    )
    writing = os.open(secret, os.O_WRONLY)  # returns when it is being read
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=DEADLINE_S)
    os.close(writing)
    assert (process.returncode, output) == (INTERRUPTED, b"")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with an embedded log, without records, and a store."""
    with closing(SqliteLog(tmp_path / "log")) as log, closing(SqliteStore(tmp_path / "store.sqlite")) as store:
        for topic in TOPICS:
            log.bounds(topic)
        store.put("a", b"b")
    return tmp_path


def _in_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
    command = f"{sys.executable} -m services {command}"
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=environ, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False
    )


@pytest.mark.parametrize(
    ("log", "sentence"),
    [("", "this Prequel has no job 'unheard-of'"), ("sqlite:///nowhere/log", "nowhere/log")],
)
def test_a_learner_starts_its_jobs_by_a_command_of_its_own_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, sentence: str
) -> None:
    """In whatever folder it runs, and whatever the environment says: the job gets the settings of its learner."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREQUEL_LOG", "sqlite:///elsewhere")
    monkeypatch.setenv("PREQUEL_API_KEYS_FILE", "/nowhere")
    (tmp_path / "orjson.py").write_text("raise ImportError('a module of this folder was imported')")
    settings = Settings.model_validate({"data": str(tmp_path / "data"), "log": log})
    with closing(open_log(Settings.model_validate({"data": str(tmp_path / "data")}))) as made:
        made.partitions(EXAMPLES)
    job = job_workers(settings).start(Job("unheard-of", {}))
    eventually(job.poll, "the job ends")
    with pytest.raises(JobFailed, match=sentence):
        job.outcome()


def test_every_argument_of_every_command_is_explained() -> None:
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        assert [action.dest for action in parser._actions if not action.help] == [], command.name
