"""The cards that a run caused, kept for `replay diff`: one row a card, in Parquet beside the result."""

from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from shelftalk.errors import ConfigError

FILE = "cards.parquet"

_BATCH = 8_192


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One live card.

    Attributes:
        seq: number of the send that caused it.
        placement: of a shopper's card; channel and locale of what is for everybody.
        trigger: ``ask``, ``facts`` or ``rewrite``.
        promotion, angle, tone, channel, locale: what, beside the product, decides the words.
        rung: who answered: ``cached``, ``generated`` or ``phrasebook``.
        slotted: the text before its slots were filled.
        reworded: whether it would have begun like a card beside it, and was given other words.
    """

    seq: int
    trigger: str
    placement: str
    sku: str
    name: str
    channel: str
    locale: str
    angle: str
    promotion: str
    tone: str
    rung: str
    brief_id: str
    model: str
    variant: str
    slotted: str
    text: str
    reworded: bool = False


_NOT_TEXT = {"seq": pa.int64(), "reworded": pa.bool_()}
_SCHEMA = pa.schema([pa.field(name, _NOT_TEXT.get(name, pa.string())) for name in Said.__struct_fields__])


class TextsWriter:
    """Writes cards as they come."""

    def __init__(self, folder: Path) -> None:
        self._file = pq.ParquetWriter(folder / FILE, _SCHEMA, compression="zstd")
        self._batch: list[Said] = []

    def add(self, said: Said) -> None:
        """Keep a card."""
        self._batch.append(said)
        if len(self._batch) >= _BATCH:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()
        self._file.close()

    def _write(self) -> None:
        if self._batch:
            columns = zip(*(msgspec.structs.astuple(said) for said in self._batch), strict=True)
            self._file.write_table(pa.table(list(map(list, columns)), schema=_SCHEMA))
            self._batch.clear()


def read_texts(folder: Path) -> list[Said]:
    """The cards of a run.

    Raises:
        ConfigError: they are not there, or damaged.
    """
    file = folder / FILE
    try:
        table = pq.read_table(file)
        columns = [table.column(name).to_pylist() for name in Said.__struct_fields__]
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ConfigError(f"{file}: not what `shelftalk replay run` writes: {str(error).splitlines()[0]}") from error
    return [Said(*values) for values in zip(*columns, strict=True)]
