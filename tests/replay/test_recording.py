"""A recording comes back as it went in, or is refused in words."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.errors import ConfigError
from shelftalk.replay.recording import About, Recorded, Recording, Writer, next_part
from tests.replay.making import viewed, written

raw = st.none() | st.binary(max_size=20)
rows = st.lists(
    st.builds(
        Recorded,
        topic=st.sampled_from(["a", "b"]),
        partition=st.integers(0, 3),
        offset=st.integers(0, 2**62),
        timestamp_ms=st.integers(0, 2**41),
        key=raw,
        value=raw,
        headers=st.lists(st.tuples(st.text(max_size=5), raw), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=50)
@given(rows)
def test_what_went_in_comes_out(tmp_path_factory: pytest.TempPathFactory, rows: list[Recorded]) -> None:
    recording = Recording(written(tmp_path_factory.mktemp("r") / "r.parquet", rows))
    assert list(recording.rows()) == rows
    assert recording.records == len(rows)
    last = {(row.topic, row.partition): row.offset + 1 for row in rows}
    assert {(t, p): o for t, ps in recording.about.next_offsets.items() for p, o in ps.items()} == last


def test_the_columns_and_the_compression_are_as_promised(tmp_path: Path) -> None:
    path = written(tmp_path / "r.parquet", [viewed("ann", 0)])
    table = pq.read_table(path)
    assert table.column_names == ["topic", "partition", "offset", "timestamp", "key", "value", "headers"]
    assert table.schema.field("timestamp").type == pa.timestamp("ms", tz="UTC")
    assert pq.read_metadata(path).row_group(0).column(5).compression == "ZSTD"


def test_parts_are_read_as_one_and_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "recording"
    for number in range(3):
        with Writer(out, About(source="kafka", streams={}), next_part(out)) as writer:
            writer.add(viewed("ann", number))
            writer.rotate()
            writer.add(viewed("bob", number))
    assert [path.name for path in sorted(out.iterdir())] == [f"part-{number:06d}.parquet" for number in range(6)]
    assert len(list(Recording(out).rows())) == 6
    assert [row.key for row in Recording(out).rows(most=3)] == [b"ann", b"bob", b"ann"]


def test_an_error_leaves_nothing_half_written(tmp_path: Path) -> None:
    def fail_in_the_middle() -> None:
        with Writer(tmp_path / "r.parquet", About(source="test", streams={})) as writer:
            writer.add(viewed("ann", 0))
            writer._write()
            assert list(tmp_path.iterdir())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_behind_is_no_part_and_goes_away(tmp_path: Path) -> None:
    out = tmp_path / "recording"
    written(out, [viewed("ann", 0)])
    (out / ".part-000001.parquet.unfinished").write_bytes(b"half")
    assert Recording(out).records == 1
    Writer(out, About(source="kafka", streams={}), next_part(out))
    assert [path.name for path in out.iterdir()] == ["part-000000.parquet"]


def test_a_finished_recording_is_not_written_over(tmp_path: Path) -> None:
    for path in (tmp_path / "r.parquet", tmp_path / "folder"):
        written(path, [viewed("ann", 0)])
        with pytest.raises(ConfigError, match="holds a recording already"):
            Writer(path, About(source="test", streams={}))
        assert Recording(path).records == 1


def cut_off(path: Path) -> None:
    written(path, [viewed("ann", n) for n in range(500)])
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    pq.write_table(pq.read_table(written(path.with_name("whole.parquet"), [viewed("ann", 0)])).slice(0, 0), path)


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"topic": ["a"]}), path)


def other_program(path: Path) -> None:
    whole = pq.read_table(written(path.with_name("whole.parquet"), [viewed("ann", 0)]))
    pq.write_table(whole.replace_schema_metadata(None), path)


def damaged(path: Path) -> None:
    written(path, [viewed(f"shopper-{n}", n) for n in range(500)])
    content = bytearray(path.read_bytes())
    content[200:1_500] = b"\xff" * 1_300
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "no such file"),
        (lambda path: path.mkdir(), r"no part-\*.parquet"),
        (lambda path: path.write_bytes(b""), "not a whole Parquet file"),
        (cut_off, "not a whole Parquet file"),
        (empty, "empty"),
        (other_columns, "column partition is missing"),
        (other_program, "no recording of shelftalk"),
        (damaged, "damaged"),
    ],
)
def test_what_is_no_whole_recording_is_refused_in_a_line(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "r.parquet"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=says) as error:
        list(Recording(path).rows())
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
