"""Rotary position tables, shared by the graph and the reference."""

import math

import numpy as np

from shelftalk.modelling.config import ModelConfig, RopeScaling


def rope_tables(config: ModelConfig, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines, ``[positions, head_dim / 2]`` each, float32.

    Frequency i is ``theta ** (-2 i / head_dim)`` (RoFormer, arXiv 2104.09864, section 3.2.2).
    """
    exponents = np.arange(0, config.head_dim, 2) / config.head_dim
    frequencies = config.rope_theta**-exponents
    if config.rope_scaling is not None:
        frequencies = _stretch(frequencies, config.rope_scaling)
    angles = np.outer(np.arange(positions), frequencies)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _stretch(frequencies: np.ndarray, scaling: RopeScaling) -> np.ndarray:
    """Llama 3's scaling: slow frequencies divided by the factor, fast ones kept, a ramp between.

    As in transformers' ``_compute_llama3_parameters``.
    """
    turns = scaling.original_max_positions * frequencies / (2 * math.pi)
    ramp = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    keep = np.clip(ramp, 0.0, 1.0)
    stretched: np.ndarray = frequencies * (keep + (1 - keep) / scaling.factor)
    return stretched
