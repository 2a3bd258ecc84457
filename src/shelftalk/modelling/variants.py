"""The variants that a model is offered in."""

from collections.abc import Callable

import numpy as np

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.graph import Arithmetic, FloatArithmetic
from shelftalk.modelling.quantise import Int8Arithmetic

VARIANTS: dict[str, Callable[[], Arithmetic]] = {
    "fp32": FloatArithmetic,
    "fp16": lambda: FloatArithmetic(np.float16),
    "w8a8": Int8Arithmetic,
}

#: Smallest and fastest on a CPU, and exact integers: what a row gives can't depend on its batch.
DEFAULT_VARIANT = "w8a8"


def arithmetic_for(variant: str) -> Arithmetic:
    """How the variant stores and multiplies its matrices.

    Raises:
        ModelFolderError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise ModelFolderError(f"there is no variant {variant!r}; choose from {', '.join(VARIANTS)}")
    return VARIANTS[variant]()
