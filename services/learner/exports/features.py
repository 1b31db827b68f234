"""The export of features: feature files that `stream` and `evaluate` read, or lines that POST examples takes."""

from collections.abc import Iterator

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_rows import example_rows
from prequel.services.learner.exports.vectors import pieces, vectors
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.rows import piece_rows, regroup
from prequel.shared.tables.base import Column, Sink
from prequel.shared.tables.opening import open_table

COLUMNS = (*map(Column, ("id", "label", "backbone")), Column("features", "object"))


def feature_meta(current: CurrentStream) -> FeatureMeta:
    """What is kept with the vectors; the classes are those that the stream has now."""
    state = current.state
    return FeatureMeta(
        backbone=state.backbone,
        dim=state.dim,
        source=f"stream {current.plan.stream}",
        labels=tuple(sorted({state.name_of(number) or "" for number in range(len(state.labels))})),
    )


def feature_rows(current: CurrentStream) -> Iterator[FeatureRows]:
    """Every example in the log's order, with its label; some megabytes at a time."""
    for rows in example_rows(current):
        for piece in pieces(rows, current.state.dim):
            infos = [RowInfo(id=row.id, name=row.id, label=row.label, split=None) for row in piece]
            yield FeatureRows(infos, vectors(current.cache, piece))


def export_features(current: CurrentStream, format: str, sink: Sink) -> None:
    """Blocks; raises ExportFailed, LogUnavailable, and what the sink raises."""
    if format == "ndjson":
        _export_lines(current, sink)
        return
    from prequel.shared.features.csv_text import format_rows, header
    from prequel.shared.features.parquet import write_parquet_rows
    from prequel.shared.tables.parquet import sink_file

    dim = current.state.dim
    pieces = regroup(feature_rows(current), piece_rows(dim))
    if format == "parquet":
        write_parquet_rows(sink_file(sink), feature_meta(current), pieces)
        return
    sink.write(header(dim))
    for infos, xs in pieces:
        sink.write(format_rows([info.label for info in infos], xs))


def _export_lines(current: CurrentStream, sink: Sink) -> None:
    """NDJSON: id, label, backbone and features."""
    table = open_table("ndjson", COLUMNS, sink)
    for infos, xs in feature_rows(current):
        backbone = current.state.backbone
        table.append(
            [
                {"id": info.id, "label": info.label, "backbone": backbone, "features": x.tolist()}
                for info, x in zip(infos, xs, strict=True)
            ]
        )
    table.finish()
