"""Makes one export: of whatever is asked for, in whichever format, into a sink."""

from prequel.services.learner.exports.archives import open_archive
from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.features import export_features
from prequel.services.learner.exports.images import export_images
from prequel.services.learner.exports.tables import LABELS, PREDICTIONS, export_table, label_rows, prediction_rows
from prequel.services.learner.replay.jobs.base import JobContext
from prequel.shared.exports import ExportFailed, ExportRequest
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.tables.base import Sink
from prequel.shared.tables.opening import check_format, open_table


def check(current: CurrentStream, request: ExportRequest) -> None:
    """Raises ExportFailed where there is nothing to export that way, TableFormatMissing."""
    if request.what == "features" and request.format != "ndjson":
        check_format("parquet")  # The same package writes both.
    if request.what == "features" and not current.state.dim:
        raise ExportFailed(f"stream {request.stream} has no features yet: it has had no image", 409)


def export(current: CurrentStream, request: ExportRequest, context: JobContext, sink: Sink) -> None:
    """All of it. Blocks; raises ExportFailed, LogUnavailable, StoreUnavailable, and what the sink raises."""
    if request.what == "labels":
        export_table(label_rows(current), open_table(request.format, LABELS, sink))
    elif request.what == "predictions":
        export_table(prediction_rows(current), open_table(request.format, PREDICTIONS, sink))
    elif request.what == "features":
        export_features(current, request.format, sink)
    else:
        export_images(current, ImageCipher(context.store), open_archive(request.format, sink))
