"""The result of the prequential part of an evaluation, from the state of its fold."""

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.capabilities import size_of
from prequel.services.learner.replay.backtests.range_comparisons import range_verdicts
from prequel.services.learner.replay.backtests.results import result_of
from prequel.services.offline.evaluation.classification_report import classification_report
from prequel.services.offline.evaluation.offline_fold import OfflineFold
from prequel.services.offline.evaluation.result import ModelCost
from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import Position


def prequential_result(fold: OfflineFold) -> BacktestResult:
    """As of a back-test over the same events; its verdicts are over all labels."""
    champion, *others = fold.state.config.models
    verdicts = range_verdicts(fold.comparisons.whole, champion, others)
    return result_of(fold.state, verdicts, Position(0, fold.offset))


def reports(state: StreamState) -> dict[str, str]:
    """The classification report of each model, by spec: of the predictions that were scored."""
    names = state.class_names
    return {
        spec: classification_report(tally.confusion, names)
        for spec, tally in zip(state.config.models, state.scores.tallies, strict=True)
    }


def model_costs(fold: OfflineFold) -> dict[str, ModelCost]:
    """What each model took, by spec."""
    if fold.models is None:
        return {}
    rows = zip(fold.state.config.models, fold.models.seconds, fold.state.models, strict=True)
    return {spec: ModelCost(seconds=seconds, state_bytes=size_of(model)) for spec, seconds, model in rows}
