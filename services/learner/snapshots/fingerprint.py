"""What the last bits of a state depend on: versions, the processor, and the kernels that libraries choose for it."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from llvmlite import binding
from numba import config
from threadpoolctl import threadpool_info

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "river", "keras", "tensorflow", "jax", "torch")
"""Keras counts with its backends: `mlp` and `cgan` round as these do."""


@cache
def build() -> dict[str, str]:
    """What bit equality is promised within. Found once: snapshots name it every few seconds."""
    import scipy.linalg  # noqa: F401, RUF100  # SciPy has a BLAS of its own, which is known once it is loaded

    return {
        **{name: found for name in _PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "numpy_simd": _simd(),
        "blas": _blas(),
        "numba_cpu": _numba_cpu(),
    }


def differences(theirs: dict[str, str]) -> str:
    """What of another build is not as here, in words."""
    ours = build()
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return "; ".join(f"{name}: {_short(theirs.get(name))} there, {_short(ours.get(name))} here" for name in names)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _simd() -> str:
    """The features that NumPy found: it chooses its loops by them, whoever made the processor."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return " ".join([*found.get("baseline", ()), *found.get("found", ())])


def _blas() -> str:
    """Every BLAS that is loaded, with the kernels that it chose (OPENBLAS_CORETYPE may choose others)."""
    libraries = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return ", ".join(
        sorted(f"{each['internal_api']} {each['version']} {each.get('architecture')}" for each in libraries)
    )


def _numba_cpu() -> str:
    """What Numba compiles for: this processor, unless NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say another."""
    has = [name for name, found in sorted(binding.get_host_cpu_features().items()) if found]
    told = getattr(config, "CPU_NAME", None), getattr(config, "CPU_FEATURES", None)
    return f"{told[0] or binding.get_host_cpu_name()} {told[1] or ' '.join(has)}"


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= 60 else f"{text[:57]}..."
