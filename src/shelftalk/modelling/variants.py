"""The variants that a model is offered in."""

import dataclasses
from collections.abc import Callable

import numpy as np
import onnx

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.calibrate import Ranges, cache_scales
from shelftalk.modelling.graph import Arithmetic, FloatArithmetic, Head, decoder_graph
from shelftalk.modelling.quantise import Int8Arithmetic
from shelftalk.modelling.smooth import smooth
from shelftalk.modelling.weights import Weights


@dataclasses.dataclass(frozen=True)
class Variant:
    """How numbers are kept.

    Attributes:
        arithmetic: makes what stores and multiplies matrices.
        smoothed: outliers of activations are moved into the weights first; needs ranges.
        int8_cache: keys and values are kept in eight bits; needs ranges.
    """

    arithmetic: Callable[[], Arithmetic]
    smoothed: bool = False
    int8_cache: bool = False

    @property
    def needs_ranges(self) -> bool:
        """Whether the model has to read a page of text before its graph can be written."""
        return self.smoothed or self.int8_cache


#: The line model on one Sapphire Rapids core, milliseconds of CPU, w8a8 against w8a8-kv8. A step of 16 rows at 50, 75 and 113
#: tokens: 30.4 and 27.5, 33.6 and 29.3, 41.5 and 33.2; of 32 rows at 113: 72 and 54; reading a prompt of 50: 47 and 55.
#: So an int8 cache pays for long rows and many of them; for lines of 25 tokens the slower prompt eats the gain. What decides
#: is that it lets a lone text be written several tokens at a time (`engine/README.md`). Divergence from fp32: 0.012 and 0.017 nats.
VARIANTS = {
    "fp32": Variant(FloatArithmetic),
    "fp16": Variant(lambda: FloatArithmetic(np.float16)),
    "w8a8": Variant(Int8Arithmetic, smoothed=True),
    "w8a8-kv8": Variant(Int8Arithmetic, smoothed=True, int8_cache=True),
}

#: Small and fast on a CPU, and exact integers: what a row gives can't depend on its batch.
DEFAULT_VARIANT = "w8a8-kv8"


def find_variant(name: str) -> Variant:
    """The variant of this name.

    Raises:
        ModelFolderError: there is none.
    """
    if name not in VARIANTS:
        raise ModelFolderError(f"there is no variant {name!r}; choose from {', '.join(VARIANTS)}")
    return VARIANTS[name]


def variant_graph(
    variant: Variant,
    weights: Weights,
    head: Head,
    ranges: Ranges | None,
    max_positions: int,
) -> onnx.ModelProto:
    """Write the graph of one variant.

    Args:
        variant: how numbers are kept.
        weights: the model, adapter merged.
        head: the words it can write.
        ranges: of `calibrate.measure`, where the variant needs them.
        max_positions: longest row.
    """
    scales = None
    if ranges is not None and variant.smoothed:
        weights, head, ranges = smooth(weights, head, ranges)
    if ranges is not None and variant.int8_cache:
        scales = cache_scales(ranges)
    return decoder_graph(weights, variant.arithmetic(), head, max_positions, scales)
