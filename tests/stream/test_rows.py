"""Rows on disk: the same as a dict, with a bound on memory, and nothing left behind."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shelftalk.core.profile import Profile
from shelftalk.stream.rows import DiskRows


def disk(folder: Path, limit: int = 8) -> DiskRows:
    return DiskRows(folder, limit, msgspec.msgpack.encode, msgspec.msgpack.decode)


_KEYS = st.sampled_from([f"k{number}" for number in range(30)])
_STEPS = st.one_of(
    st.tuples(st.just("put"), _KEYS, st.integers(0, 99)),
    st.tuples(st.just("get"), _KEYS, st.just(0)),
    st.tuples(st.just("pop"), _KEYS, st.just(0)),
    st.tuples(st.just("list"), _KEYS, st.just(0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_STEPS, max_size=120), st.integers(1, 12))
def test_whatever_is_done_it_is_what_a_dict_would_be(
    tmp_path: Path, steps: list[tuple[str, str, int]], limit: int
) -> None:
    rows, plain = disk(tmp_path, limit), dict[str, int]()
    for what, key, value in steps:
        match what:
            case "put":
                rows[key] = plain[key] = value
            case "get":
                assert rows.get(key) == plain.get(key)
            case "pop":
                assert rows.pop(key, None) == plain.pop(key, None)
            case _:
                assert dict(rows.items()) == plain
        assert rows.hot <= limit
    assert len(rows) == len(plain)
    assert dict(rows.items()) == plain
    rows.close()


def test_twenty_thousand_rows_and_a_thousand_in_memory(tmp_path: Path) -> None:
    rows = disk(tmp_path, 1_000)
    for number in range(20_000):
        rows[f"s{number}"] = number
    assert rows.hot <= 1_000
    assert [rows[f"s{number}"] for number in (0, 9_999, 19_999)] == [0, 9_999, 19_999]
    assert len(rows) == 20_000


def test_writing_while_listing_is_fine(tmp_path: Path) -> None:
    rows = disk(tmp_path)
    for number in range(1_200):
        rows[f"{number:05}"] = number
    met = []
    for key in rows:
        met.append(key)
        rows[key] = -1
        rows.pop("00700", None)
        rows["00000-new"] = 1
    assert set(met) >= {f"{number:05}" for number in range(1_200)} - {"00700"}
    assert len(met) == len(set(met))


def test_nothing_is_left_in_the_folder_even_while_it_is_open(tmp_path: Path) -> None:
    """So nothing is after a kill -9 either."""
    rows = disk(tmp_path)
    for number in range(100):
        rows[str(number)] = number
    assert list(tmp_path.iterdir()) == []
    rows.close()


def test_what_is_read_back_is_equal(tmp_path: Path) -> None:
    decoder = msgspec.msgpack.Decoder(Profile)
    rows = DiskRows(tmp_path, 1, msgspec.msgpack.encode, decoder.decode)
    rows["ada"], rows["bea"] = Profile(revision=7, locale="en-GB"), Profile()
    assert rows["ada"] == Profile(revision=7, locale="en-GB")


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    rows = disk(tmp_path)
    with pytest.raises(KeyError):
        rows["x"]
    with pytest.raises(KeyError):
        del rows["x"]
