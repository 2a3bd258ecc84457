"""A log, or two, as the replay wants it: in order of time, and parted into what is learned and what is foretold."""

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from shelftalk.errors import ConfigError
from shelftalk.events import otto, rees46
from shelftalk.events.log_events import Row, Tally

#: OTTO's log knows no prices; one that is always the same says nothing.
_ANY_PRICE = 100


class Part(msgspec.Struct, frozen=True):
    """One file of a log.

    Attributes:
        ordered: whether its rows are in order of time; else they are sorted in memory.
        split_ms: from this moment on its rows are to be foretold.
    """

    path: Path
    rows: int
    ordered: bool
    foretold: int
    split_ms: int

    def read(self) -> Iterator[tuple[Row, bool]]:
        """Rows in order of time; of two from one moment the one that stands first comes first."""
        rows = _rows(self.path, Tally())
        for row in rows if self.ordered else sorted(rows, key=lambda row: row.at_ms):
            yield row, row.at_ms >= self.split_ms


def _rows(path: Path, tally: Tally) -> Iterator[Row]:
    """By the file's name: OTTO's sessions as ``.jsonl``, anything else is REES46's CSV; either may be gzipped."""
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        return otto.read_rows(path, tally, lambda _: _ANY_PRICE)
    return rees46.read_rows(path, tally)


def survey(path: Path, *, learned_share: float, on_row: Callable[[int], None] = lambda _: None) -> Part:
    """Read a file once to see where it is to be parted.

    Args:
        path: of the file.
        learned_share: which part of its rows is for learning only: 1 is all, 0 is none.
        on_row: told of the rows so far.

    Raises:
        ConfigError: it cannot be read, is not of this format, or holds no rows.
    """
    tally, times, ordered = Tally(), array("q"), True
    for row in _rows(path, tally):
        ordered = ordered and (not times or times[-1] <= row.at_ms)
        times.append(row.at_ms)
        on_row(len(times))
    if not times:
        raise ConfigError(f"{path}: no usable row; {dict(tally.broken)}")
    if learned_share >= 1:
        split_ms = max(times) + 1
    else:
        split_ms = (times if ordered else array("q", sorted(times)))[int(len(times) * learned_share)]
    return Part(path, len(times), ordered, sum(at_ms >= split_ms for at_ms in times), split_ms)
