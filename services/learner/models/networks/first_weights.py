"""The values that the weights of a network begin with."""

import numpy as np
import numpy.typing as npt


def glorot(inputs: int, outputs: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """A kernel [inputs, outputs] by Glorot & Bengio ("Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010)."""
    limit = np.sqrt(6 / (inputs + outputs))
    return random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)
