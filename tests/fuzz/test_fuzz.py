"""Fuzzing, bounded: events made from the schemas and then broken, and Atheris on every decoder for a moment."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.events.types import BEHAVIOUR_TYPES, INVENTORY_TYPES
from shelftalk.resources import schemas_dir
from tests.from_schemas import END_OF_TIME_MS, instances, load
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
RUNS = 2_000

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("event_type", sorted(BEHAVIOUR_TYPES | INVENTORY_TYPES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_the_schema_allows_is_decoded_and_what_is_broken_is_refused_in_order(
    event_type: str, data: st.DataObject
) -> None:
    event = data.draw(instances(load(event_type)))
    decode = decode_behaviour if event_type in BEHAVIOUR_TYPES else decode_inventory
    raw = json.dumps(event).encode()
    assert decode(raw, END_OF_TIME_MS).event_id == event["event_id"]
    broken = event | {data.draw(st.sampled_from(sorted(event))): data.draw(JUNK)}
    cut = data.draw(st.integers(0, len(raw)))
    for target in ("behaviour", "inventory"):
        TARGETS[target](json.dumps(broken).encode(errors="replace"))
        TARGETS[target](raw[:cut] + data.draw(st.binary(max_size=4)) + raw[cut:])


@pytest.mark.parametrize("text", ["\n#e#e\nnx\nnx", "evity 1\n  $ )", f"{'a' * 116}.comet"])
def test_what_crashed_once_does_not_again(text: str) -> None:
    """Found by `make fuzz`: what one hashtag leaves may be another."""
    TARGETS["words"](text.encode())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_atheris_finds_nothing_in_a_moment(tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("Atheris has no wheel for this machine")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for example in (schemas_dir() / "examples").glob("*.json"):
        (seeds / example.name).write_bytes(example.read_bytes())
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz",
            name,
            f"-runs={RUNS}",
            "-max_total_time=20",
            "-seed=1",
            f"-artifact_prefix={tmp_path}/",
            str(seeds),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
