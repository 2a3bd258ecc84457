"""Large memory in large pages: a decode step reads every weight once, and with pages of 4 KiB it waits for the page table.

Most systems give huge pages only where a program asks (``madvise``), and ONNX Runtime does not ask. Asking for what is there
already, once after the model is loaded, takes some 13 % off a step of one row (``README.md``).
"""

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

#: What Linux 6.1 and later do at once: put the region's pages together. Older kernels refuse, and nothing changes.
_MADV_COLLAPSE = 25

#: Of a huge page on x86-64 and on Arm with pages of 4 KiB.
_HUGE_BYTES = 2 << 20

#: Smaller regions are not worth the call; weights and caches are larger.
_LEAST_BYTES = 8 << 20


def use_huge_pages() -> int:
    """Put this process's large anonymous memory into huge pages, where the kernel can and may.

    It never fails: without huge pages everything is as before.

    Returns:
        Bytes that are in huge pages now as far as the kernel says.
    """
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None, use_errno=True).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        done = 0
        for start, end in regions(Path("/proc/self/maps").read_text().splitlines()):
            madvise(start, end - start, mmap.MADV_HUGEPAGE)
            if madvise(start, end - start, _MADV_COLLAPSE) == 0:
                done += end - start
        return done
    return 0


def regions(maps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The large, private, writable regions without a file, inside whole huge pages.

    Args:
        maps: lines of ``/proc/self/maps``.
    """
    for line in maps:
        addresses, permissions, _, device, inode, *name = line.split()
        if permissions != "rw-p" or (device, inode) != ("00:00", "0") or name not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-start // _HUGE_BYTES) * _HUGE_BYTES, end // _HUGE_BYTES * _HUGE_BYTES
        if end - start >= _LEAST_BYTES:
            yield start, end
