"""Waits and retries stand in one table, and nobody waits by a number of their own."""

import ast
import re
from pathlib import Path

import pytest

from shared import deadlines

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "shared/deadlines.py"
WAITING = re.compile(r"(TIMEOUT|RETRY|RETRIES|AGAIN|PATIENCE|DEADLINE|BACKOFF)")
PARAMETERS = {"timeout", "timeout_s", "connect", "socket_timeout", "busy_timeout_s", "backoff_s"}
FOR_CLIENTS = {
    "services/gateway/problems.py": {"RETRY_SECONDS"},
    "services/producer/client.py": {"AGAIN"},
    "services/producer/outstanding.py": {"ASKED_AGAIN"},
}
"""What clients are told in a header; which answers mean: again; a number of images."""


def modules() -> list[Path]:
    found = (path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if path != TABLE)


def numeric(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def test_no_other_file_names_a_wait_or_a_retry() -> None:
    wrong = []
    for path in modules():
        file = path.relative_to(ROOT).as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for target in node.targets if isinstance(node, ast.Assign) else ():
                name = ast.unparse(target)
                if WAITING.search(name) and name.isupper() and _made_of_numbers(node) and not _allowed(file, name):
                    wrong.append(f"{file}:{node.lineno} {name}")
    assert not wrong, f"give them to shared/deadlines.py, with the reason: {wrong}"


def _made_of_numbers(node: ast.AST) -> bool:
    return any(numeric(each) for each in ast.walk(node) if isinstance(each, ast.expr))


def _allowed(file: str, name: str) -> bool:
    return name in FOR_CLIENTS.get(file, ())


def test_no_call_waits_by_a_number_of_its_own() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and any(
            each.arg in PARAMETERS and numeric(each.value) and ast.unparse(each.value) != "0" for each in node.keywords
        )
    ]
    assert not wrong, f"name the number in shared/deadlines.py: {wrong}"


@pytest.mark.parametrize("name", [name for name in vars(deadlines) if name.isupper()])
def test_each_stands_with_its_reason(name: str) -> None:
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
    assert deadlines.PROMISE_S + 2 * deadlines.STORE_READ_S < deadlines.ANSWER_S
    assert deadlines.LEARNER_CONNECT_S + deadlines.LEARNER_READ_S <= deadlines.QUERY_S < deadlines.ANSWER_S
