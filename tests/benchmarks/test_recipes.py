"""The recipes run from images to a row, on small data, and say what they need where it is missing."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def recipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.recipes", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def accuracies(run: subprocess.CompletedProcess[str]) -> list[float]:
    """The numbers in the row's column of accuracies."""
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    cell = run.stdout.splitlines()[-1].split(" | ")[3]
    return [float(each) for each in re.split("[,;]", cell)[0].split(" / ")]


def test_images_become_a_row(tmp_path: Path) -> None:
    """Zeros and ones through the packaged backbone, in the form of Food-5K: its evaluation split is held out, and the
    digit before the number of a file is its label."""
    images, numbers = load_digits(return_X_y=True)
    for place, at in enumerate(np.flatnonzero(numbers < 2)[:120].tolist()):
        split = ("training", "training", "validation", "evaluation")[place % 4]
        folder = tmp_path / "images" / split
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (images[at].reshape(8, 8) * 15).astype(np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(folder / f"{numbers[at]}_{at}.jpg")
    run = recipe(
        *("e", "--data", str(tmp_path / "images"), "--work", str(tmp_path)),
        *("--backbone", "compact", "--pooling", "multi", "--format", "csv", "--labels", "filename", "--passes", "3"),
    )
    prequential, held_out = accuracies(run)
    assert prequential > 0.8
    assert held_out > 0.9
    assert [line.split()[1] for line in run.stdout.splitlines() if line.startswith("pass ")] == ["1:", "2:", "3:"]
    assert "saved, and loaded again with the same 30 answers" in run.stdout
    assert (tmp_path / "e" / "model.npz").is_file()


def test_its_own_mistakes_become_fewer() -> None:
    run = recipe("c", "--passes", "5")
    assert accuracies(run)[0] > 0.97
    counts = [line.split() for line in run.stdout.splitlines() if line.startswith("split")]
    assert len(counts) == 5
    assert sum(int(line[2]) for line in counts) > sum(int(line[6]) for line in counts)


def test_without_the_data_it_says_where_it_comes_from() -> None:
    ended = recipe("e", "--data", "nowhere")
    assert ended.returncode != 0
    assert "Food-5K of https://" in ended.stderr
    assert "evaluation/" in ended.stderr
    assert "Traceback" not in ended.stderr
