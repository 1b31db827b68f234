"""What the last bits of a state depend on: versions, the processor, and the kernels that libraries choose for it."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from llvmlite import binding
from numba import config
from threadpoolctl import threadpool_info

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "river", "keras", "tensorflow", "jax", "torch")
"""Those whose versions may change the last bits: `replay=cgan` rounds as Keras and its backends do."""


@cache
def build() -> dict[str, str]:
    """The versions and the processor that bit equality is promised within; cached, as every snapshot names them."""
    import scipy.linalg  # noqa: F401, RUF100  # SciPy has a BLAS of its own, which is known once it is loaded

    return {
        **{name: installed for name in _PACKAGES if (installed := _version(name))},
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "numpy_simd": _simd(),
        "blas": _blas(),
        "numba_cpu": _numba_cpu(),
    }


def differences(other: dict[str, str]) -> str:
    """How another build differs from this one, in words; empty where it does not."""
    here = build()
    names = sorted(name for name in here.keys() | other.keys() if here.get(name) != other.get(name))
    return "; ".join(f"{name}: {_short(other.get(name))} there, {_short(here.get(name))} here" for name in names)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _simd() -> str:
    """The features that NumPy detected: it chooses its loops by them, whoever made the processor."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return " ".join([*extensions.get("baseline", ()), *extensions.get("found", ())])


def _blas() -> str:
    """Every BLAS that is loaded, with the kernels that it chose (OPENBLAS_CORETYPE may choose others)."""
    libraries = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return ", ".join(
        sorted(f"{library['internal_api']} {library['version']} {library.get('architecture')}" for library in libraries)
    )


def _numba_cpu() -> str:
    """What Numba compiles for: this processor, unless NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say another."""
    detected = [name for name, present in sorted(binding.get_host_cpu_features().items()) if present]
    name, features = getattr(config, "CPU_NAME", None), getattr(config, "CPU_FEATURES", None)
    return f"{name or binding.get_host_cpu_name()} {features or ' '.join(detected)}"


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= 60 else f"{text[:57]}..."
