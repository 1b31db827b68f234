"""What is asked of an evaluation: the models, the order, what is held out, when labels come."""

from typing import NamedTuple

from prequel.services.offline.evaluation.errors import WrongOptions

SHUFFLED, AS_IS, BY_CLASS, BY_TIME = "shuffled", "as-is", "by-class", "by-time"
ORDERS = (SHUFFLED, AS_IS, BY_CLASS, BY_TIME)


class Options(NamedTuple):
    """``order`` is one of ORDERS, None: the one that suits the examples. ``holdout`` is a split's name or a share.

    The label of an example comes after ``label_delay`` further examples; ``mini_batch`` examples are predicted, then
    their labels learned. ``seed`` is that of the shuffle and of a share held out.
    """

    order: str | None = None
    seed: int = 0
    holdout: str | None = None
    label_delay: int = 0
    mini_batch: int = 1


def check_options(options: Options, window: int) -> None:
    """Raises WrongOptions. ``window`` is how many examples a label can still reach."""
    if options.order not in (None, *ORDERS):
        raise WrongOptions(f"--order {options.order} is unknown: use one of {', '.join(ORDERS)}")
    if options.seed < 0:
        raise WrongOptions(f"--seed {options.seed}: a seed is a whole number from 0 on")
    if options.label_delay < 0:
        raise WrongOptions(f"--label-delay {options.label_delay}: labels cannot come before their examples")
    if options.mini_batch < 1:
        raise WrongOptions(f"--mini-batch {options.mini_batch}: a mini-batch has at least one example")
    if (late := options.label_delay + options.mini_batch) > window:
        raise WrongOptions(
            f"labels come up to {late:,} examples late, but reach the newest {window:,} only (PREQUEL_WINDOW): "
            "set that higher, or take a smaller --label-delay or --mini-batch"
        )
