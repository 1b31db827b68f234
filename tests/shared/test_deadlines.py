"""All waits and retries are in one table, and no other file has a number for one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from prequel.shared.runtime import deadlines

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "shared/runtime/deadlines.py"
WAITING = re.compile(r"(TIMEOUT|RETRY|RETRIES|AGAIN|PATIENCE|DEADLINE|BACKOFF|WAIT|GRACE|SETTLE|BUSY)")
PARAMETERS = {"timeout", "timeout_s", "connect", "socket_timeout", "busy_timeout_s", "backoff_s"}
FOR_CLIENTS = {
    "services/gateway/http/parameters.py": {"MAX_WAIT_SECONDS"},
    "services/gateway/http/problems.py": {"RETRY_SECONDS"},
    "services/producer/unanswered.py": {"MAX_CHECKED_AGAIN"},
}
"""A header for clients; what they may ask for; answers that mean "try again"; numbers of images."""


@cache
def modules() -> list[tuple[str, ast.Module]]:
    """Every file but the table, parsed once."""
    paths = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py"))
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in paths
        if path != TABLE
    ]


@cache
def calls() -> list[tuple[str, ast.Call]]:
    return [(file, node) for file, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.Call)]


def numeric(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def test_no_other_file_names_a_wait_or_a_retry() -> None:
    wrong = []
    for file, tree in modules():
        for node in tree.body:
            for target in _targets(node):
                name = ast.unparse(target)
                if WAITING.search(name) and name.isupper() and _made_of_numbers(node) and not _allowed(file, name):
                    wrong.append(f"{file}:{node.lineno} {name}")
    assert not wrong, f"give them to shared/runtime/deadlines.py, with the reason: {wrong}"


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _made_of_numbers(node: ast.AST) -> bool:
    return any(numeric(each) for each in ast.walk(node) if isinstance(each, ast.expr))


def _allowed(file: str, name: str) -> bool:
    return name in FOR_CLIENTS.get(file, ())


def test_no_call_has_a_timeout_of_its_own() -> None:
    wrong = [
        f"{file}:{node.lineno}"
        for file, node in calls()
        if any(
            each.arg in PARAMETERS and numeric(each.value) and ast.unparse(each.value) != "0" for each in node.keywords
        )
    ]
    assert not wrong, f"name the number in shared/runtime/deadlines.py: {wrong}"


ENDLESS = {"wait", "join", "get", "result", "acquire", "communicate"}
"""Without an argument, methods of these names wait forever."""
BY_POSITION = {"wait", "join", "result", "sleep"}
"""Their first argument is the time."""
CLIENTS = {
    "Client": "timeout", "AsyncClient": "timeout", "urlopen": "timeout", "create_connection": "timeout",
    "run": "timeout", "check_call": "timeout", "check_output": "timeout",
    "Redis": "socket_timeout", "from_url": "socket_timeout",
}  # fmt: skip
"""Calls that need a timeout, with the parameter's name; of ``run`` only that of subprocess."""
MAY_WAIT = {
    "services/gateway/view/subscriptions.py self._wakeup.wait()": "inside wait_for",
    "services/gateway/blocking_calls.py future.result()": "it is done",
    "services/learner/replay/rebuild.py snapshots.acquire()": "a call of the store, with its deadlines",
    "services/learner/restore.py snapshots.acquire()": "a call of the store, with its deadlines",
    "services/extractor/extractor.py pending.decoded.result()": "for a decoder, whose cost the limits of images bound",
    "services/learner/replay/jobs/child_process.py process.wait()": "for a process that has been killed",
    "services/producer/commands/demo.py self._thread.join()": "for the demo, which the user sees and may interrupt",
    "services/producer/sending.py answer.result()": "for a client's call, with its deadlines",
    "services/library/stopping.py executor.submit(int).result()": "a thread that has nothing to do",
    "services/library/stopping.py begin.wait()": "for the thread that has started this one, which sets it next",
    "services/library/stopping.py running.result()": "the caller's work takes what it takes, and Ctrl-C ends it",
    "services/offline/extraction/extraction.py image.pixels.result()": "for a decoder, as above",
    "services/offline/extraction/extraction.py running.result()": "for a backbone: the user sees it, and may interrupt",
    "services/offline/evaluation/read_ahead.py following.result()": "for the disk, or a backbone: the user sees it",
    "shared/images/reading.py self._large.submit(work).result()": "for a decoder, as above",
    "shared/runtime/process.py self.stop.wait()": "until somebody ends the process: that is what it is for",
    "shared/runtime/process.py thread.join()": "SIGTERM finishes the batch, each of whose waits has a deadline",
    "shared/runtime/signals.py arrived.get()": "for a signal, on a thread of its own",
    "shared/runtime/publisher.py self._in_flight.popleft().result()": "for an append, with the log's deadlines",
    "shared/runtime/operations.py self._thread.join()": "for a loop that ends once told, and checks ten times a second",
}


def test_only_calls_with_a_reason_wait_forever() -> None:
    waiting = {
        f"{file} {ast.unparse(node)}"
        for file, node in calls()
        if isinstance(node.func, ast.Attribute) and node.func.attr in ENDLESS and not node.args and not node.keywords
    }
    assert waiting == set(MAY_WAIT), "give it a deadline of shared/runtime/deadlines.py, or say here why it needs none"


def test_no_call_has_a_literal_as_its_timeout() -> None:
    wrong = [
        f"{file}:{node.lineno}"
        for file, node in calls()
        if isinstance(node.func, ast.Attribute) and node.func.attr in BY_POSITION
        if node.args and numeric(node.args[0]) and ast.unparse(node.args[0]) != "0"
    ]
    assert not wrong, f"name the number in shared/runtime/deadlines.py: {wrong}"


def test_every_client_has_a_timeout() -> None:
    wrong = []
    for file, node in calls():
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        needed = CLIENTS.get(name)
        if needed and owner in ("httpx", "subprocess", "redis", "redis.Redis", "urllib.request", "socket", "request"):
            wrong += [f"{file}:{node.lineno}"] if needed not in {each.arg for each in node.keywords} else []
    assert not wrong, f"name a deadline of shared/runtime/deadlines.py: {wrong}"


@pytest.mark.parametrize("name", [name for name in vars(deadlines) if name.isupper()])
def test_each_deadline_has_its_reason(name: str) -> None:
    body = ast.parse(TABLE.read_text(encoding="utf-8")).body
    for at, node in enumerate(body):
        if isinstance(node, ast.Assign) and name in re.findall(r"\w+", ast.unparse(node.targets[0])):
            reason = body[at + 1]
            assert isinstance(reason, ast.Expr), f"{name} has no reason"
            assert len(ast.literal_eval(reason.value)) > 30
            return
    raise AssertionError(name)


def test_the_parts_of_an_answer_stay_below_the_whole() -> None:
    assert deadlines.STORE_READ_S + deadlines.APPEND_S < deadlines.ANSWER_S
    assert deadlines.FIRST_READ_S + deadlines.APPEND_S < deadlines.ANSWER_S
    assert deadlines.READ_YOUR_WRITES_S + 2 * deadlines.STORE_READ_S < deadlines.ANSWER_S
    assert deadlines.LEARNER_CONNECT_S + deadlines.LEARNER_READ_S <= deadlines.QUERY_S < deadlines.ANSWER_S
