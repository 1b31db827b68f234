"""`python -m tests.kernels`: compiles the kernels of all models, before several processes of tests would each do it."""

from prequel.services.learner.fold.calibration import calibrator
from prequel.services.learner.fold.drift import adwin, feature_drift
from prequel.services.learner.models import registry
from prequel.services.learner.models.catalogue import MODELS


def main() -> None:
    """Compile into the cache beside the sources. Takes some 15 s the first time and under one after that."""
    for name, row in MODELS.items():
        if not row.argument:
            registry.compile(name, 8)
    calibrator.compile()
    feature_drift.compile()
    adwin.compile()


if __name__ == "__main__":
    main()
