"""The contracts in ``schemas/`` and the code say the same."""

import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shelftalk
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.card import Audience, Card, Status, encode_card
from shelftalk.core.effects import Hold, Publish
from shelftalk.core.facts import Facts, fold
from shelftalk.core.messages import Ask, Message, Mode, Origin
from shelftalk.core.publish import emptied, publish
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, Stage
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_behaviour, decode_inventory, encode
from shelftalk.events.types import BEHAVIOUR_TYPES, INVENTORY_TYPES, BehaviourEvent, InventoryEvent, OrderItem
from shelftalk.resources import schemas_dir
from shelftalk.stream.dead_letters import CUT_HEADER, DeadLetter
from shelftalk.stream.dlq import MARK_HEADER
from shelftalk.stream.outlet import _review_record
from shelftalk.stream.record import Record
from shelftalk.stream.settings import TOPIC_FIELDS, Settings, Topics
from shelftalk.stream.topics import topic_specs
from tests.from_schemas import END_OF_TIME_MS, SCHEMAS, instances, load

EVENTS: dict[str, type[msgspec.Struct]] = {
    str(struct.__struct_config__.tag): struct for struct in typing.get_args(BehaviourEvent | InventoryEvent)
}
NOW_MS = 1_789_000_060_000


def example(name: str) -> bytes:
    return (schemas_dir() / "examples" / f"{name}.json").read_bytes()


def decode(name: str, raw: bytes) -> msgspec.Struct:
    return (decode_behaviour if name in BEHAVIOUR_TYPES else decode_inventory)(raw, END_OF_TIME_MS)


# --- the files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_named_after_its_file(name: str) -> None:
    schema = load(name)
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == name
    assert schema["$id"] == f"urn:shelftalk:{name}:1"


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_keeps_to_its_schema(name: str) -> None:
    jsonschema_rs.validator_for(load(name)).validate(json.loads(example(name)))


def test_every_example_has_a_schema() -> None:
    assert {path.stem for path in (schemas_dir() / "examples").iterdir()} == SCHEMAS.keys()


def test_every_event_type_has_a_schema_and_a_struct() -> None:
    assert EVENTS.keys() == BEHAVIOUR_TYPES | INVENTORY_TYPES
    assert SCHEMAS.keys() == EVENTS.keys() | {"card", "review"}


# --- structs and schemas ------------------------------------------------------------------------------------------------


def options(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def differences(struct: type[msgspec.Struct], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    """Where a struct and a schema disagree on names, on what must be there, or on the values of an enum."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    known = set(schema["properties"]) - {"type"}
    if fields.keys() != known:
        yield f"{at}: {sorted(fields.keys() ^ known)} only on one side"
    always = not struct.__struct_config__.omit_defaults
    for name in fields.keys() & known:
        if (fields[name].required or always) != (name in schema["required"]):
            yield f"{at}.{name}: required on one side only"
        there = schema["properties"][name]
        there = root["$defs"][there["$ref"].removeprefix("#/$defs/")] if "$ref" in there else there
        for option in options(fields[name].type):
            if option is types.NoneType and "null" not in there["type"]:
                yield f"{at}.{name}: null only in the struct"
            elif isinstance(option, type) and issubclass(option, msgspec.Struct):
                yield from differences(option, there, root, f"{at}.{name}")
            elif isinstance(option, type) and issubclass(option, str) and option is not str:
                if there.get("enum") != [member.value for member in option]:  # type: ignore[attr-defined]
                    yield f"{at}.{name}: the schema has {there.get('enum')}"
            elif typing.get_origin(option) is tuple and typing.get_args(option)[0] is OrderItem:
                yield from differences(OrderItem, there["items"], root, f"{at}.{name}")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_and_its_schema_have_the_same_fields(name: str) -> None:
    assert list(differences(EVENTS[name], load(name), load(name), name)) == []


def test_the_card_and_its_schema_have_the_same_fields() -> None:
    assert list(differences(Card, load("card"), load("card"), "card")) == []


def test_the_comparison_of_fields_finds_what_is_planted() -> None:
    schema = load("card")
    del schema["properties"]["text"]
    schema["properties"]["facts"]["properties"]["promotion"]["enum"].remove("sale")
    schema["properties"]["provenance"]["required"].remove("tone")
    schema["properties"]["shopper_id"]["type"] = ["string"]
    found = sorted(line.split(":")[0] for line in differences(Card, schema, schema, "card"))
    assert found == ["card", "card.facts.promotion", "card.provenance.tone", "card.shopper_id"]


# --- events through the codec ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_survives_the_codec(name: str) -> None:
    event = decode(name, example(name))
    assert isinstance(event, EVENTS[name])
    raw = encode(event)
    jsonschema_rs.validator_for(load(name)).validate(json.loads(raw))
    assert decode(name, raw) == event


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("name", EVENTS)
def test_whatever_a_schema_allows_goes_through_the_codec(name: str, data: st.DataObject) -> None:
    schema = load(name)
    validator = jsonschema_rs.validator_for(schema)
    fields = data.draw(instances(schema))
    event = decode(name, json.dumps(fields).encode())
    again = encode(event)
    validator.validate(json.loads(again))
    assert decode(name, again) == event


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("name", EVENTS)
def test_one_wrong_field_is_refused_with_a_reason(name: str, data: st.DataObject) -> None:
    fields = json.loads(example(name))
    victim = data.draw(st.sampled_from(sorted(fields)))
    anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([1])
    fields[victim] = data.draw(anything | st.just("x" * 10_000))
    allowed = jsonschema_rs.validator_for(load(name)).is_valid(fields) if not _has_nan(fields[victim]) else False
    try:
        decode(name, json.dumps(fields).encode())
        reason = None
    except BadInputError as error:
        reason = error.reason
    assert (reason is None) == allowed
    assert reason in {None, "schema", "unknown_type", "not_json"}


def _has_nan(value: Any) -> bool:
    return isinstance(value, float) and value - value != 0


def test_a_whole_number_may_come_as_a_float() -> None:
    """JavaScript has one kind of number."""
    fields = json.loads(example("price_changed"))
    fields["price_minor"] = float(fields["price_minor"])
    event = decode("price_changed", json.dumps(fields).encode())
    assert event == decode("price_changed", example("price_changed"))
    assert b".0" not in encode(event)


# --- cards ----------------------------------------------------------------------------------------------------------------

ASKED = Origin(topic="b", partition=0, offset=7, event_id="e-1", occurred_at_ms=NOW_MS)


def facts() -> Facts:
    source = Origin(topic="i", partition=2, offset=41, event_id="e-0", occurred_at_ms=NOW_MS - 1000)
    return fold(Facts(sku="LF-0042"), decode_inventory(example("product_upserted"), NOW_MS), source)


def live_card(shopper_id: str, placement: str, channel: Channel) -> LiveCard:
    return LiveCard(
        audience=Audience(shopper_id, placement),
        stage=Stage.AWAITING,
        channel=channel,
        asked_revision=5,
        revision=5,
        origin=ASKED,
        locale="en-GB",
        valid_until_ms=NOW_MS + 60_000,
        angle=Angle.LIKE_VIEWED,
        anchor="shoes",
        tone=Tone.WARM,
        slotted="Grip for mud: {name}, {price}.",
        brief_id="0123456789abcdef",
        model="phrasebook",
    )


def published(effects: list[Any]) -> Card:
    (effect,) = effects
    assert isinstance(effect, Publish)
    return effect.card


def test_the_example_card_is_the_struct_written_out() -> None:
    card = msgspec.json.decode(example("card"), type=Card)
    assert json.loads(encode_card(card)) == json.loads(example("card"))


@pytest.mark.parametrize(
    ("shopper_id", "placement", "channel"), [("s-1", "next_1", Channel.CARD), ("", "ad/en-GB", Channel.AD)]
)
def test_a_card_that_the_core_renders_keeps_to_the_schema(shopper_id: str, placement: str, channel: Channel) -> None:
    given = live_card(shopper_id, placement, channel)
    card = published(publish(Scene(facts(), NOW_MS, ShelfRules()), given).effects)
    assert card.status is Status.LIVE
    jsonschema_rs.validator_for(load("card")).validate(json.loads(encode_card(card)))


@pytest.mark.parametrize("known", [True, False])
def test_a_withdrawn_card_keeps_to_the_schema(known: bool) -> None:
    ask = Ask(
        key="LF-0042",
        shopper_id="s-1",
        placements=("next_1",),
        revision=5,
        mode=Mode.SHOW,
        because=Angle.POPULAR,
        locale="en-GB",
        origin=ASKED,
    )
    scene = Scene(facts() if known else Facts(sku="LF-0042"), NOW_MS, ShelfRules())
    card = emptied(scene, ask, "next_1").card
    assert card.status is Status.WITHDRAWN
    jsonschema_rs.validator_for(load("card")).validate(json.loads(encode_card(card)))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("text",), ""),
        (("status",), "gone"),
        (("facts", "price_minor"), 0),
        (("facts", "price_minor"), 12.5),
        (("facts", "stock"), 0),
        (("facts", "currency"), ""),
        (("provenance", "brief_id"), ""),
        (("provenance", "origin", "offset"), -1),
        (("ai_generated",), None),
    ],
)
def test_a_wrong_card_is_refused(path: tuple[str, ...], wrong: object) -> None:
    card = json.loads(example("card"))
    inner = card
    for name in path[:-1]:
        inner = inner[name]
    assert inner[path[-1]] != wrong
    inner[path[-1]] = wrong
    assert not jsonschema_rs.validator_for(load("card")).is_valid(card)


def test_a_held_text_keeps_to_the_schema() -> None:
    brief = Scene(facts(), NOW_MS, ShelfRules()).brief(live_card("s-1", "next_1", Channel.CARD))
    record = json.loads(_review_record(Hold(brief, "Unlike other shoes: {name}.", ("doubtful: unlike other",))))
    validator = jsonschema_rs.validator_for(load("review"))
    validator.validate(record)
    fields = load("review")["properties"]
    assert fields.keys() == record.keys()
    assert fields["brief"]["properties"].keys() == set(Brief.__struct_fields__)
    assert fields["brief"]["properties"]["promotion"]["enum"] == [member.value for member in Promotion]


# --- the AsyncAPI document --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((schemas_dir() / "asyncapi.yaml").read_text())
    return loaded


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def messages_of(document: dict[str, Any], channel: str) -> set[str]:
    return set(document["channels"][channel]["messages"])


def test_it_has_the_version_of_the_package(document: dict[str, Any]) -> None:
    assert document["asyncapi"].startswith("3.")
    assert document["info"]["version"] == shelftalk.__version__


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        if reference.startswith("#/"):
            node: Any = document
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]
        else:
            assert Path(schemas_dir() / reference).is_file(), reference


def test_its_channels_are_the_topics(document: dict[str, Any]) -> None:
    channels = {name: channel["address"] for name, channel in document["channels"].items()}
    assert channels == {field.removesuffix("_"): Topics().name(field) for field in TOPIC_FIELDS}
    bindings = {channel["address"]: channel["bindings"]["kafka"] for channel in document["channels"].values()}
    for spec in topic_specs(Settings()):
        assert bindings[spec.name]["partitions"] == spec.partitions
        policy = bindings[spec.name].get("topicConfiguration", {}).get("cleanup.policy", [None])
        assert policy == [spec.config.get("cleanup.policy")]


def test_a_worker_receives_from_the_topics_that_it_reads(document: dict[str, Any]) -> None:
    operations = document["operations"].values()
    received = {each["channel"]["$ref"].rsplit("/", 1)[1] for each in operations if each["action"] == "receive"}
    addresses = {document["channels"][name]["address"] for name in received}
    assert addresses == {spec.name for spec in topic_specs(Settings()) if spec.exact}


def test_its_messages_are_the_event_types(document: dict[str, Any]) -> None:
    assert messages_of(document, "behaviour") == BEHAVIOUR_TYPES
    assert messages_of(document, "inventory") == INVENTORY_TYPES
    for name in EVENTS:
        payload = document["components"]["messages"][name]["payload"]
        assert payload["schema"]["$ref"] == SCHEMAS[name].name
    internal = document["components"]["messages"]["shelf_message"]["payload"]["properties"]["type"]["enum"]
    assert internal == [kind.__struct_config__.tag for kind in typing.get_args(Message)]


def test_its_dead_letter_headers_are_those_that_are_sent(document: dict[str, Any]) -> None:
    described = document["components"]["messages"]["dead_letter"]["headers"]
    record = Record(topic="t", partition=0, offset=1, key=b"k", value=b"{", timestamp_ms=NOW_MS, headers=())
    sent = dict(DeadLetter(record, "not_json", "why", 1).headers()).keys()
    assert sent == set(described["required"])
    assert described["properties"].keys() - sent == {CUT_HEADER, MARK_HEADER}
