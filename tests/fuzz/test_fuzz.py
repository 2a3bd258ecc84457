"""Fuzzing, bounded: events made from the schemas and then broken, and Atheris on every decoder for a moment."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.events.types import BEHAVIOUR_TYPES, INVENTORY_TYPES
from shelftalk.resources import schemas_dir
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
NOW_MS = 1_790_000_000_000
RUNS = 2_000

#: The patterns of the schemas, in a form that Hypothesis builds quickly.
_PATTERNS = {
    "^[^\\s\\u0000-\\u001f|]+$": r"\A[^\s\x00-\x20|]{1,40}\Z",
    "^[A-Z]{3}$": r"\A[A-Z]{3}\Z",
    "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$": r"\A[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\Z",
}


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema allows, as far as ours go."""
    if "const" in schema:
        return st.just(schema["const"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_kind(kind, schema) for kind in kinds])


def _of_kind(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", 0), min(schema.get("maximum", 10**12), NOW_MS))
        case "string" if "pattern" in schema:
            return st.from_regex(_PATTERNS[schema["pattern"]])
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 50), 50))
        case "array":
            return st.lists(values_of(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
        case _:
            wanted = schema.get("required", [])
            parts = {name: values_of(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in wanted},
                optional={name: part for name, part in parts.items() if name not in wanted},
            )


def events_of(event_type: str) -> st.SearchStrategy[dict[str, Any]]:
    return values_of(json.loads((schemas_dir() / f"{event_type}.schema.json").read_text()))


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
    event = data.draw(events_of(event_type))
    decode = decode_behaviour if event_type in BEHAVIOUR_TYPES else decode_inventory
    raw = json.dumps(event).encode(errors="surrogatepass")
    try:
        "".join(str(value) for value in event.values()).encode()
    except UnicodeEncodeError:
        pass  # JSON may hold half a character, UTF-8 not
    else:
        assert decode(raw, NOW_MS).event_id == event["event_id"]
    broken = event | {data.draw(st.sampled_from(sorted(event))): data.draw(JUNK)}
    cut = data.draw(st.integers(0, len(raw)))
    for target in ("behaviour", "inventory"):
        TARGETS[target](json.dumps(broken).encode(errors="replace"))
        TARGETS[target](raw[:cut] + data.draw(st.binary(max_size=4)) + raw[cut:])


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
