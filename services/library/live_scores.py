"""How well the models of a stream do now, as a back-test would say it: what figures are drawn of."""

from typing import TYPE_CHECKING

from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import Position
from prequel.shared.status import Confusion, LabelOrderStatus

if TYPE_CHECKING:
    from prequel.services.library.client import Client

UNKNOWN_ORDER = LabelOrderStatus(mixed=True, text="")
"""Of a stream whose status an older Prequel wrote."""


def live(client: "Client", stream: str) -> BacktestResult:
    """The scores of a stream's models since its start, as its learner has them: for the other figures.

    While the stream learns, its parts may be some examples apart. Blocks; raises PrequelError where there is no such
    stream, or no gateway.

    >>> prequel.figures.accuracy(prequel.figures.live(client, "colours"))
    <Figure: Accuracy while learning>
    """
    status = client.status(stream)
    matrices = {model: client.confusion(stream, model) for model in status.models}
    return BacktestResult(
        begin=str(Position(Position.parse(status.position).partition, 0)),
        end=status.position,
        images=status.images,
        labelled=status.labelled,
        champion=status.champion,
        models=status.models,
        verdicts=status.verdicts,
        label_order=status.label_order or UNKNOWN_ORDER,
        curve=client.curve(stream).points,
        confusion={model: Confusion(labels=each.labels, rows=each.rows) for model, each in matrices.items()},
        reliability=client.reliability(stream).models,
        drifts=status.drifts,
    )
