"""Events made from the schemas, for Hypothesis."""

import json
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from shelftalk.resources import schemas_dir

SCHEMAS = {path.name.removesuffix(".schema.json"): path for path in sorted(schemas_dir().glob("*.schema.json"))}

#: Later than any event the schemas allow, so that the clock check, which is not theirs, stays out of the way.
END_OF_TIME_MS = 4_102_444_800_000

#: Fields of somebody else's; unknown ones are kept quiet. The names never meet ours.
UNKNOWN = st.dictionaries(
    st.text("xyz", min_size=1, max_size=3),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text("ab\u20ac|\n"), st.lists, max_leaves=4),
    max_size=2,
)


def load(name: str) -> dict[str, Any]:
    """A schema by the name of its type."""
    schema: dict[str, Any] = json.loads(SCHEMAS[name].read_bytes())
    return schema


def instances(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of ours allows.

    hypothesis-jsonschema would do this for any schema, but leans on internals that newer versions of Hypothesis lack.
    """
    # Python's patterns differ a little from those of JSON Schema.
    return _parts(schema).filter(jsonschema_rs.validator_for(schema).is_valid)


def _parts(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
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
            whole = st.integers(schema["minimum"], schema["maximum"])
            return whole | whole.map(float)  # to JSON Schema 8900.0 is an integer
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z").filter(
                lambda text: len(text) <= schema.get("maxLength", len(text))
            )
        case "string":
            encodable = st.characters(exclude_categories=["Cs"])
            return st.text(encodable, min_size=schema.get("minLength", 0), max_size=min(schema["maxLength"], 300))
        case "array":
            most = min(schema["maxItems"], 6)
            return st.lists(_parts(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
        case "object":
            fields = {name: _parts(inner) for name, inner in schema["properties"].items()}
            must = {name: fields[name] for name in schema["required"]}
            may = {name: fields[name] for name in fields.keys() - must.keys()}
            return st.builds(lambda unknown, known: unknown | known, UNKNOWN, st.fixed_dictionaries(must, optional=may))
    raise AssertionError(f"no schema of ours has the type {kind}")
