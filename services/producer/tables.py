"""Tables for a terminal: columns as wide as what stands in them."""

from collections.abc import Container, Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Container[int]) -> list[str]:
    """Lines of columns as wide as they need to be, whatever the terminal's width: other programs can cut them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def score(value: float | None) -> str:
    """A share or a loss; a dash where there is none yet."""
    return "-" if value is None else f"{value:.4f}"
