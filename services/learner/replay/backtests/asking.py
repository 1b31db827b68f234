"""Makes a job of a request for a back-test, or says why that cannot be run."""

from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.decisions.stream_handlers import find_other_backbone
from prequel.services.learner.fold.drift.reactions import check_spec, reaction
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.capabilities import full_size_of
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.replay.backtests.job import BacktestJob
from prequel.services.learner.replay.plan import plan_of
from prequel.shared.backtests import MAX_MODELS, BacktestRefused, BacktestRequest
from prequel.shared.log.base import Position


def backtest_job(
    request: BacktestRequest, partition: OwnedPartition, state: StreamState, *, signed: bool
) -> BacktestJob:
    """The stream's events up to now, or the part that is asked for. Raises BacktestRefused.

    ``signed`` is whether there is a key that pickled models can be signed with.
    """
    champion = state.config.models[0]
    named = request.models
    models = (named or [champion]) if request.backbone else [spec for spec in named if spec != champion]
    _check_models(models, champion, signed=signed)
    if not state.labelled:
        raise BacktestRefused(f"stream {state.name} has no labelled example yet: no prediction could be scored")
    other = _find_backbone(request.backbone, state)
    dim = state.other_features[other][0] if other else state.dim
    _check_size([(champion, state.dim), *((spec, dim) for spec in models)], partition, state)
    first = min([state.begun, *state.adopted])
    return BacktestJob(
        plan=plan_of(partition.fold, state, partition.number)._replace(models=(champion, *models)),
        begin=max(first, _begin(request, partition, state)),
        end=partition.fold.position,
        classes=tuple(state.labels),
        backbone=(state.backbone, state.dim),
        other=other,
    )


def _find_backbone(spec: str, state: StreamState) -> str:
    """The id of the other backbone; empty where none is asked for."""
    try:
        return find_other_backbone(state, spec) if spec else ""
    except Refused as refused:
        raise BacktestRefused(str(refused), "backbone") from None


def _check_models(specs: list[str], champion: str, *, signed: bool) -> None:
    if len(set(specs)) < len(specs):
        raise BacktestRefused("name each model once", "models")
    if len(specs) > MAX_MODELS:
        raise BacktestRefused(f"{len(specs)} models are too many: name {MAX_MODELS} at most", "models")
    for spec in set(specs) - {champion}:
        try:
            check_spec(spec, signed=signed)
        except UnknownModel as problem:
            raise BacktestRefused(str(problem), "models") from problem


def _check_size(specs: list[tuple[str, int]], partition: OwnedPartition, state: StreamState) -> None:
    """Refuse models that would not fit beside each other once they have learned enough, as ``models.add`` does.

    ``specs`` are with the number of values in a vector.
    """
    fold = partition.fold
    models = [fold.registry.create(reaction(spec).spec, dim, seed=state.seed) for spec, dim in specs]
    size, limit = sum(map(full_size_of, models)), fold.config.max_model_bytes
    if size > limit:
        raise BacktestRefused(
            f"they would grow to {size:,} bytes, more than the {limit:,} of PREQUEL_MAX_MODEL_BYTES: name fewer",
            "models",
        )


def _begin(request: BacktestRequest, partition: OwnedPartition, state: StreamState) -> int:
    """The offset from which the events are asked for; 0 for all of them."""
    if request.since is not None and request.last is not None:
        raise BacktestRefused("give since or last, not both", "last")
    if request.since is not None:
        return _since(request.since, partition)
    if request.last is None or request.last >= state.images:
        return 0
    begin = state.window.newest_from(request.last)
    if begin is None:
        raise BacktestRefused(
            f"the stream knows where its newest {len(state.window):,} examples begin (PREQUEL_WINDOW), no more: "
            "give since, or leave both out for all of them",
            "last",
        )
    return begin.offset


def _since(text: str, partition: OwnedPartition) -> int:
    try:
        since = Position.parse(text if ":" in text else f"{partition.number}:{text}")
    except ValueError:
        raise BacktestRefused(f"{text!r} is neither partition:offset nor an offset", "since") from None
    if since.partition != partition.number:
        raise BacktestRefused(f"the events of this stream are in partition {partition.number}", "since")
    if since.offset >= partition.fold.position:
        raise BacktestRefused(f"{since} is not before {partition.position}, where the stream is now", "since")
    return since.offset
