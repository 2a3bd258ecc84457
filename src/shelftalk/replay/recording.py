"""A recording: Kafka records in Parquet, whole files only.

One file, or a folder of ``part-000000.parquet``, ``part-000001.parquet`` and so on. Columns: topic, partition, offset, timestamp,
key, value, headers; zstd. A file is written under a temporary name and renamed when it is complete, so whatever bears the name can
be read to its end, and what a crash leaves behind is told apart at a glance. What is to be known about a recording as a whole
(`About`) stands in the footer of each file.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from shelftalk.errors import ConfigError

FORMAT = 1

#: Key of the footer's metadata under which `About` is found.
_ABOUT = b"shelftalk.recording"

#: A row group is what a reader holds in memory: some 10 MB of events.
_GROUP_ROWS = 32_768

_UNFINISHED = ".unfinished"

SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)


class Recorded(msgspec.Struct, frozen=True):
    """One record as Kafka had it.

    Attributes:
        timestamp_ms: Kafka's, Unix milliseconds.
        headers: in order; names may repeat.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class About(msgspec.Struct, kw_only=True):
    """What is to be known about a recording.

    Attributes:
        source: where it comes from: ``"kafka"``, or the log it was imported from.
        streams: what each topic is to shelftalk, such as ``{"shop.behaviour": "behaviour"}``; other systems' topics are not in it.
        pseudonyms: which key gave shoppers their pseudonyms (itself not to be guessed from this); ``None`` if ids are as they were.
        next_offsets: by topic and partition, where a resumed recording goes on.
    """

    source: str
    streams: dict[str, str]
    pseudonyms: str | None = None
    next_offsets: dict[str, dict[int, int]] = {}
    format: int = FORMAT


class Recording:
    """A recording that was found whole: every file opens, has the columns, and there is at least one record.

    Args:
        path: a file, or a folder of parts.

    Attributes:
        about: of its last file.
        records: how many there are.

    Raises:
        ConfigError: it is not there, or not whole; the message says which file and what to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = _files(path)
        footers = [_footer(file) for file in self.files]
        self.records = sum(footer.num_rows for footer in footers)
        if self.records == 0:
            raise ConfigError(f"{path}: the recording is empty: there is no record in it")
        self.about = _about(self.files[-1], footers[-1])

    def rows(self, most: int | None = None) -> Iterator[Recorded]:
        """Its records, in the order they were written.

        Args:
            most: stop after so many.

        Raises:
            ConfigError: a file is damaged after all.
        """
        left = self.records if most is None else most
        for file in self.files:
            try:
                with pq.ParquetFile(file) as opened:
                    for batch in opened.iter_batches(batch_size=_GROUP_ROWS):
                        yield from _rows(batch.slice(0, max(left, 0)))
                        left -= batch.num_rows
                        if left <= 0:
                            return
            except (pa.ArrowException, OSError) as error:
                raise ConfigError(f"{file}: damaged: {_line(error)}") from error


class Writer:
    """Writes a recording.

    Args:
        path: a file, or (ending without ``.parquet``) a folder, which gets one part more with each rotation.
        about: stands in the footer; its offsets are kept up to date.
        first_part: number of the first part, for a recording that goes on.

    Attributes:
        records: written so far, those of the unfinished file included.
        unfinished_bytes: of keys and values in the file that is being written.

    Raises:
        ConfigError: the place cannot be written.
    """

    def __init__(self, path: Path, about: About, first_part: int = 0) -> None:
        self._path, self._about = path, about
        self._folder = path.parent if path.suffix == ".parquet" else path
        self._part = first_part
        self._batch: list[Recorded] = []
        self._file: pq.ParquetWriter | None = None
        self.records = 0
        self.unfinished_bytes = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        if self._target.exists() or (first_part == 0 and next_part(path)):
            raise ConfigError(f"{path}: holds a recording already; remove it, or give another place")
        for leftover in self._folder.glob(f".*{_UNFINISHED}"):
            if leftover.name == self._temporary.name or path.suffix != ".parquet":
                leftover.unlink()

    @property
    def _target(self) -> Path:
        return self._path if self._path.suffix == ".parquet" else self._folder / f"part-{self._part:06d}.parquet"

    @property
    def _temporary(self) -> Path:
        return self._folder / f".{self._target.name}{_UNFINISHED}"

    def add(self, row: Recorded) -> None:
        """Write a record."""
        self._batch.append(row)
        self.records += 1
        self.unfinished_bytes += len(row.key or b"") + len(row.value or b"")
        self._about.next_offsets.setdefault(row.topic, {})[row.partition] = row.offset + 1
        if len(self._batch) >= _GROUP_ROWS:
            self._write()

    def rotate(self) -> Path | None:
        """Finish the present file, so that nothing of it can be lost any more; a folder's next record begins another.

        Returns:
            The finished file; ``None`` if there was nothing to finish.
        """
        if self._batch:
            self._write()
        if self._file is None:
            return None
        self._file.add_key_value_metadata({_ABOUT: msgspec.json.encode(self._about)})
        self._file.close()
        self._file = None
        target = self._target
        with self._temporary.open("rb") as written:
            os.fsync(written.fileno())
        self._temporary.replace(target)
        self._part += 1
        self.unfinished_bytes = 0
        return target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or, after an error, leave nothing of it behind."""
        if error is None:
            self.rotate()
            return
        self._batch.clear()
        if self._file is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._file.close()
            self._file = None
        self._temporary.unlink(missing_ok=True)

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = pq.ParquetWriter(self._temporary, SCHEMA, compression="zstd")
            self._file.write_table(_table(self._batch))
        except OSError as error:
            raise ConfigError(f"{self._target}: cannot be written: {error.strerror or error}") from error
        self._batch.clear()


def next_part(path: Path) -> int:
    """The number of the part that comes next in a folder."""
    parts = sorted(path.glob("part-*.parquet")) if path.is_dir() else []
    return int(parts[-1].stem.removeprefix("part-")) + 1 if parts else 0


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        parts = sorted(path.glob("part-*.parquet"))
        if not parts:
            raise ConfigError(f"{path}: no recording: there is no part-*.parquet in this folder")
        return parts
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file or folder")
    return [path]


def _footer(file: Path) -> Any:
    try:
        footer = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{file}: not a whole Parquet file (cut off?): {_line(error)}") from error
    columns = footer.schema.to_arrow_schema()
    for field in SCHEMA:
        there = columns.field(field.name) if field.name in columns.names else None
        if there is None or there.type != field.type:
            found = "is missing" if there is None else f"is {there.type}"
            raise ConfigError(f"{file}: no recording: its column {field.name} {found}, and must be {field.type}")
    return footer


def _about(file: Path, footer: Any) -> About:
    raw = (footer.metadata or {}).get(_ABOUT)
    if raw is None:
        raise ConfigError(f"{file}: no recording of shelftalk: its footer has no {_ABOUT.decode()}")
    try:
        about = msgspec.json.decode(raw, type=About)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file}: its footer cannot be read: {error}") from error
    if about.format != FORMAT:
        raise ConfigError(f"{file}: format {about.format}; this version reads {FORMAT}")
    return about


def _rows(batch: pa.RecordBatch) -> Iterator[Recorded]:
    columns = [batch.column(name) for name in SCHEMA.names]
    columns[3] = columns[3].cast(pa.int64())
    for topic, partition, offset, timestamp_ms, key, value, headers in zip(
        *(column.to_pylist() for column in columns), strict=True
    ):
        pairs = tuple((header["name"], header["value"]) for header in headers or ())
        yield Recorded(topic, partition, offset, timestamp_ms, key, value, pairs)


def _table(rows: list[Recorded]) -> pa.Table:
    columns = [
        [row.topic for row in rows],
        [row.partition for row in rows],
        [row.offset for row in rows],
        [row.timestamp_ms for row in rows],
        [row.key for row in rows],
        [row.value for row in rows],
        [[{"name": name, "value": value} for name, value in row.headers] for row in rows],
    ]
    arrays = [
        pa.array(column, field.type if field.name != "timestamp" else pa.int64()).cast(field.type)
        for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0]
