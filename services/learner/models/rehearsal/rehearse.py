"""The options `replay`, `memory` and `replays`: a model that forgets put behind a memory."""

from collections.abc import Callable

from prequel.services.learner.models.capabilities import Loadable
from prequel.services.learner.models.rehearsal.memory import Memory
from prequel.services.learner.models.rehearsal.rehearsed_model import RehearsedModel


def rehearse(model: Loadable, dim: int, *, seed: int, replay: str, memory: int, replays: int) -> Loadable:
    """The model behind the memory that ``replay`` names; the model itself for "none".

    ``memory`` is how many examples reservoir and balanced store, ``replays`` how many are rehearsed with each new one.
    Raises ImportError for cgan where Keras is not installed.
    """
    if replay == "none":
        return model
    return RehearsedModel(model, _MEMORIES[replay](dim, memory, seed), dim, seed=seed, replays=replays)


def _reservoir(dim: int, size: int, seed: int) -> Memory:
    from prequel.services.learner.models.rehearsal.reservoir import ReservoirMemory

    return ReservoirMemory(dim, size)


def _balanced(dim: int, size: int, seed: int) -> Memory:
    from prequel.services.learner.models.rehearsal.balanced import BalancedMemory

    return BalancedMemory(dim, size)


def _gaussian(dim: int, size: int, seed: int) -> Memory:
    from prequel.services.learner.models.rehearsal.gaussians import GaussianMemory

    return GaussianMemory(dim)


def _cgan(dim: int, size: int, seed: int) -> Memory:
    from prequel.services.learner.models.rehearsal.cgan import GeneratedMemory  # imports Keras, which takes seconds

    return GeneratedMemory(dim, seed)


_MEMORIES: dict[str, Callable[[int, int, int], Memory]] = {
    "reservoir": _reservoir,
    "balanced": _balanced,
    "gaussian": _gaussian,
    "cgan": _cgan,
}
