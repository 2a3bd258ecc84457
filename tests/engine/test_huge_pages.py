"""Which memory is put into huge pages. What it brings is measured by hand (engine/README.md)."""

import sys
from pathlib import Path

import numpy as np
import pytest

from shelftalk.engine.huge_pages import regions, use_huge_pages

MB = 1 << 20


def line(start: int, end: int, rest: str = "rw-p 00000000 00:00 0") -> str:
    return f"{start:x}-{end:x} {rest}"


def test_large_anonymous_regions_are_cut_to_whole_huge_pages() -> None:
    assert list(regions([line(3 * MB, 33 * MB)])) == [(4 * MB, 32 * MB)]
    assert list(regions([line(4 * MB, 32 * MB, "rw-p 00000000 00:00 0          [heap]")])) == [(4 * MB, 32 * MB)]


@pytest.mark.parametrize(
    "other",
    [
        line(0, 6 * MB),
        line(MB, 9 * MB),
        line(0, 32 * MB, "r--p 00000000 00:00 0"),
        line(0, 32 * MB, "rw-s 00000000 00:01 1027 /dev/zero"),
        line(0, 32 * MB, "rw-p 00000000 08:01 4711 /usr/lib/libsome.so"),
        line(0, 32 * MB, "rw-p 00000000 00:00 0   [stack]"),
    ],
)
def test_other_memory_is_left_alone(other: str) -> None:
    assert list(regions([other])) == []


@pytest.mark.skipif(sys.platform != "linux", reason="madvise is Linux's")
def test_memory_keeps_what_is_in_it() -> None:
    array = np.arange(4 * MB, dtype=np.float32)
    assert any(start >= 0 for start, _ in regions(Path("/proc/self/maps").read_text().splitlines()))
    done = use_huge_pages()
    assert done >= 0
    np.testing.assert_array_equal(array, np.arange(4 * MB, dtype=np.float32))
