"""The command `export --what model`: a model of a stream as a file, of arrays or for Keras or ONNX."""

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.export import disk_errors, whole_file
from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.report import check_stream, print_lines
from prequel.shared.model_files import MODEL_FORMATS, CannotConvert, ModelConverter, ModelFormat
from prequel.shared.units import format_bytes


class WantedModel(NamedTuple):
    """Which model of which stream; ``spec`` empty: the champion. ``format`` and ``out`` None: they follow."""

    stream: str
    spec: str
    format: str | None
    out: Path | None
    force: bool

    @property
    def chosen(self) -> ModelFormat:
        """The format. Raises WrongUsage."""
        suffix = self.out.suffix.lstrip(".").lower() if self.out else ""
        named = self.format or (suffix if suffix in MODEL_FORMATS else "npz")
        for format in MODEL_FORMATS:
            if named == format:
                return format
        raise WrongUsage(f"format {named}: a model can be exported as {', '.join(MODEL_FORMATS)}")

    @property
    def target(self) -> Path:
        """The file."""
        return self.out or Path(f"{self.stream}-model.{self.chosen}")


def export_model(client: Client, wanted: WantedModel, *, convert: ModelConverter, console: Console) -> int:
    """Fetch the model, convert it here, and write the file whole or not at all; the exit code. Raises ProducerError."""
    made = write_model(client, wanted, convert)
    model = wanted.spec or "the champion"
    print_lines(console, f"{wanted.stream}: {model} as it answers now, in {wanted.target} ({format_bytes(made)})")
    return 0


def write_model(client: Client, wanted: WantedModel, convert: ModelConverter) -> int:
    """As ``export_model``, without a word; the number of bytes."""
    check_stream(wanted.stream)
    target, format = wanted.target, wanted.chosen
    if target.is_dir():
        raise WrongUsage(f"{target} is a folder: name a file, as in {target / f'{wanted.stream}.{format}'}")
    if target.exists() and not wanted.force:
        raise WrongUsage(f"{target} exists: name another file, or replace it (force)")
    client.check()
    data = client.model_file(wanted.stream, wanted.spec)
    try:
        made = data if format == "npz" else convert(data, format)
    except CannotConvert as error:
        raise ProducerError(str(error)) from None
    with disk_errors(target), whole_file(target) as file:
        file.write(made)
    return len(made)
