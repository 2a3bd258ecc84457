"""The rows of one partition of a table: in memory, or most of them on disk.

On disk is a spill, no truth: it begins empty and is filled from the changelog as memory would be, so it needs no journal, no fsync
and no recovery of its own, and nothing is left of it when the process ends. SQLite comes with Python and is kept by people who will
still be there; RocksDB's and LMDB's bindings were weighed and bring a wheel of megabytes for what a B-tree and a cache do here.
"""

import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

#: The rows of a partition; values are not to be changed in place.
Rows: TypeAlias = MutableMapping[str, Any]
MakeRows: TypeAlias = Callable[[int], Rows]

#: SQLite's own cache of pages, in KiB, for each file.
_PAGES_KIB: Final = 4_096

#: Rows that are read at a time when all are listed.
_LIST: Final = 500


#: Tables that stay in memory whatever the store: the keeper holds every live card itself, and the fence asks of every card whether
#: its shopper was forgotten, which few ever were.
IN_MEMORY: Final = frozenset({"live", "erased"})


class RowStore(NamedTuple):
    """A store with a bound on memory.

    Attributes:
        folder: for files, which are gone with the process.
        memory_rows: of each table and partition.
    """

    folder: Path
    memory_rows: int


def in_memory(_partition: int) -> Rows:
    """All of them."""
    return {}


class DiskRows(MutableMapping[str, Any]):
    """At most so many rows in memory, those used last; the others on disk.

    A row that was changed is written when it leaves memory. What is read back is equal to what was put, and not the same object.

    Args:
        folder: for the file, which has no name there: it is gone when it is closed, however the process ends.
        limit: rows in memory.
        encode: a value to bytes.
        decode: and back.
    """

    def __init__(
        self, folder: Path, limit: int, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]
    ) -> None:
        self._limit, self._encode, self._decode = limit, encode, decode
        self._hot: OrderedDict[str, Any] = OrderedDict()
        self._changed: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="rows-", suffix=".sqlite") as file:
            # Metrics may be read on another thread; they only count.
            self._disk = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                f"cache_size=-{_PAGES_KIB}",
            ):
                self._disk.execute(f"PRAGMA {pragma}")
            self._disk.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL)")

    def __getitem__(self, key: str) -> Any:
        if key in self._hot:
            self._hot.move_to_end(key)
            return self._hot[key]
        found = self._disk.execute("SELECT value FROM rows WHERE key = ?", (key,)).fetchone()
        if found is None:
            raise KeyError(key)
        value = self._decode(found[0])
        self._hot[key] = value
        self._make_room()
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._hot[key] = value
        self._hot.move_to_end(key)
        self._changed.add(key)
        self._make_room()

    def __delitem__(self, key: str) -> None:
        was_hot = self._hot.pop(key, None) is not None
        self._changed.discard(key)
        deleted = self._disk.execute("DELETE FROM rows WHERE key = ?", (key,)).rowcount
        if not was_hot and not deleted:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        """Every key, in the order of keys; one that comes or goes meanwhile may be among them or not."""
        self._write(self._changed)
        last, more = "", True
        while more:
            page = self._disk.execute(
                "SELECT key FROM rows WHERE key > ? ORDER BY key LIMIT ?", (last, _LIST)
            ).fetchall()
            for (last,) in page:
                yield last
            more = bool(page)

    def __len__(self) -> int:
        self._write(self._changed)
        return int(self._disk.execute("SELECT count(*) FROM rows").fetchone()[0])

    @property
    def hot(self) -> int:
        """Rows that are there now."""
        return len(self._hot)

    def close(self) -> None:
        """Give the disk back."""
        self._hot.clear()
        self._changed.clear()
        self._disk.close()

    def _make_room(self) -> None:
        """Several at a time: a row's write costs a tenth of what it costs alone."""
        if len(self._hot) <= self._limit:
            return
        leaving = [key for key, _ in zip(self._hot, range(max(self._limit // 8, 1)), strict=False)]
        self._write(self._changed.intersection(leaving))
        for key in leaving:
            del self._hot[key]

    def _write(self, keys: set[str]) -> None:
        if not keys:
            return
        rows = [(key, self._encode(self._hot[key])) for key in sorted(keys)]
        self._disk.execute("BEGIN")
        self._disk.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows)
        self._disk.execute("COMMIT")
        self._changed -= set(keys)
