"""The plate: to the byte the cards that each would have been alone."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle, Channel, Tone
from shelftalk.core.card import Audience, Card, Rung, Status, Trigger, encode_card, identified
from shelftalk.core.effects import Publish
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Origin
from shelftalk.core.offer import Offer, decode_offer, ingredients_in
from shelftalk.core.opening import opening
from shelftalk.core.publish import emptied, publish
from shelftalk.core.reword import Ingredients
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.shelf import on_ask
from tests.core.making import NO_MODEL, NOW, ask, folded, origin, shelf, upserted

origins = st.builds(
    Origin,
    topic=st.text(max_size=5),
    partition=st.integers(0, 9),
    offset=st.integers(0, 2**62),
    event_id=st.text(max_size=8),
    occurred_at_ms=st.integers(0, 2**50),
)
audiences = st.builds(Audience, st.text(max_size=8), st.text(min_size=1, max_size=8))


def made(text: str) -> Publish:
    """A card whose words are this text."""
    facts = folded(upserted(name="100% %b %d Kettle"))
    live = on_ask(shelf(facts), ask(), NOW, NO_MODEL).live["ada|next_1"]
    assert live is not None
    (effect,) = publish(Scene(facts, NOW, NO_MODEL), live, slotted=text, model="m").effects
    assert isinstance(effect, Publish)
    return effect


@given(
    st.sampled_from(["{name}, {price}.", '100 %s of %d "{name}" \\ 壶', "\0\1{name}"]),
    audiences,
    st.integers(0, 2**62),
    origins,
)
def test_the_wire_form_is_the_encoded_card(text: str, audience: Audience, revision: int, asked_by: Origin) -> None:
    plate = made(text).plate
    card = plate.card(audience, revision, revision + 1, asked_by)
    assert (card.shopper_id, card.placement) == (audience.shopper_id or None, audience.placement)
    assert (card.revision, card.valid_until_ms, card.provenance.origin) == (revision, revision + 1, asked_by)
    assert card == identified(card)
    for _ in range(2):  # the first is encoded for itself, the others from what they have in common
        encoded = plate.encoded(audience, revision, revision + 1, asked_by)
        assert encoded == encode_card(card)
        assert msgspec.json.decode(encoded, type=Card) == card


def test_beside_a_card_the_fence_is_told_how_it_begins_and_what_it_was_made_of() -> None:
    effect = made("A kettle that is 50% off: {name}.\nAnd hot.")
    for _ in range(2):
        value = effect.offered()
        offer, encoded = decode_offer(value)
        assert encoded == effect.encoded()
        card = effect.card
        assert opening(card.text) == "a kettle that"
        assert offer == Offer(
            "ada", "next_1", card.revision, Status.LIVE, "kettle-1", card.published_at_ms, "a kettle that"
        )
        assert msgspec.json.decode(ingredients_in(value), type=Ingredients) == effect.plate.made_of


@given(audiences.filter(lambda audience: audience.shopper_id), st.integers(0, 2**62), origins)
def test_an_offer_carries_the_very_card(audience: Audience, revision: int, asked_by: Origin) -> None:
    plate = made("{name}, {price}.").plate
    for _ in range(2):
        value = plate.offered(audience, revision, revision + 1, asked_by)
        offer, encoded = decode_offer(value)
        assert encoded == encode_card(plate.card(audience, revision, revision + 1, asked_by))
        assert (offer.shopper_id, offer.placement, offer.revision) == (
            audience.shopper_id,
            audience.placement,
            revision,
        )


def test_cards_with_the_same_to_say_share_it() -> None:
    facts = folded(upserted())
    scene = Scene(facts, NOW, NO_MODEL)
    live = on_ask(shelf(facts), ask(), NOW, NO_MODEL).live["ada|next_1"]
    assert live is not None
    twin = msgspec.structs.replace(live, audience=Audience("bea", "next_2"), origin=origin(7), cause=live.cause)
    assert scene.plate(twin, Status.LIVE) is scene.plate(live, Status.LIVE)
    for changes in (
        {"slotted": "{name}!"},
        {"cause": origin(9)},
        {"trigger": Trigger.FACTS},
        {"rung": Rung.CACHED},
        {"model": "other"},
        {"brief_id": "other"},
        {"angle": Angle.POPULAR},
        {"angle": Angle.GOES_WITH, "anchor": "pot"},
        {"locale": "de-DE"},
        {"tone": Tone.PLAYFUL},
        {"channel": Channel.AD},
    ):
        other = msgspec.structs.replace(live, **changes)
        assert scene.plate(other, Status.LIVE) is not scene.plate(live, Status.LIVE)
        assert scene.plate(other, Status.LIVE).common != scene.plate(live, Status.LIVE).common
    assert scene.plate(live, Status.WITHDRAWN).common.text == ""


def test_an_empty_placement_is_told_for_a_product_without_facts() -> None:
    effect = emptied(Scene(Facts(sku="kettle-1"), NOW, ShelfRules()), ask(), "next_1")
    assert (effect.card.status, effect.card.text) == (Status.WITHDRAWN, "")
    assert effect.encoded() == encode_card(effect.card)
