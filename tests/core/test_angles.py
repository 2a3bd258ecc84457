"""Of all true reasons the one that says most: by rule and weight."""

from typing import Any

import msgspec
import pytest

from shelftalk.core.angles import WEIGHTS
from shelftalk.core.brief import Angle
from shelftalk.core.card import Provenance, Status
from shelftalk.core.explain import because
from shelftalk.core.facts import Facts
from shelftalk.core.interest import Band
from shelftalk.core.messages import Bought, Mode, Seed
from shelftalk.core.refresh import bought_cards
from shelftalk.core.rules import ShelfRules
from shelftalk.core.shelf import on_ask
from shelftalk.core.state import Stage
from shelftalk.core.taste import Intent, Taste
from shelftalk.core.terms import terms
from tests.core.making import DAY, HOUR, NO_MODEL, NOW, after, ask, cards, folded, reasons, shelf, stocked, upserted

BACK = folded(upserted(), stocked(0, NOW - 2 * HOUR), stocked(9, NOW - HOUR))
KETTLE = Seed(sku="k-2", kind="kettle", category="kitchen.kettles")


def why(facts: Facts | None = None, rules: ShelfRules = NO_MODEL, **changes: Any) -> Provenance:
    (publish,) = cards(on_ask(shelf(facts or folded(upserted(kind="kettle"))), ask(**changes), NOW, rules))
    return publish.card.provenance


def taste(**changes: Any) -> Taste:
    return Taste(**changes)


@pytest.mark.parametrize(
    ("angle", "changes"),
    [
        (Angle.INTRODUCE, {"seed": None}),
        (Angle.POPULAR, {"because": Angle.POPULAR}),
        (Angle.RECENTLY_VIEWED, {"seed": None, "taste": taste(seen=("kettle-1",))}),
        (Angle.LIKE_VIEWED, {"seed": KETTLE}),
        (Angle.GOES_WITH, {"because": Angle.GOES_WITH}),
        (Angle.YOUR_BRAND, {"seed": KETTLE, "brands": ("Harbour",)}),
        (Angle.SEARCH_MATCH, {"brands": ("Harbour",), "taste": taste(searched=terms("kettle"))}),
        (Angle.IN_CART, {"because": Angle.IN_CART, "brands": ("Harbour",), "carted_at_ms": NOW - DAY}),
    ],
)
def test_the_reason_that_says_most_wins(angle: Angle, changes: dict[str, Any]) -> None:
    assert why(**changes).angle is angle


def test_intent_moves_the_weights() -> None:
    facts = folded(upserted(kind="kettle"))
    both: dict[str, Any] = {"seed": KETTLE, "brands": ("Harbour",)}
    assert why(facts, **both).angle is Angle.YOUR_BRAND
    assert why(facts, **both, taste=taste(intent=Intent.COMPARING)).angle is Angle.LIKE_VIEWED
    goes: dict[str, Any] = {"because": Angle.GOES_WITH, "brands": ("Harbour",)}
    assert why(facts, **goes).angle is Angle.YOUR_BRAND
    assert why(facts, **goes, taste=taste(intent=Intent.DECIDING)).angle is Angle.GOES_WITH


def test_a_shop_may_weigh_otherwise() -> None:
    rules = msgspec.structs.replace(NO_MODEL, angles={Angle.YOUR_BRAND: 1.0})
    assert why(rules=rules, seed=KETTLE, brands=("Harbour",)).angle is Angle.LIKE_VIEWED


def test_every_angle_has_a_weight_and_words_in_both_languages() -> None:
    assert set(WEIGHTS) == set(Angle)
    for locale in ("en-GB", "zh-CN"):
        said = {because(angle, "kettle", locale) for angle in Angle}
        assert len(said) == len(Angle)
        assert not any("{" in words or "_" in words for words in said)
    assert because(Angle.IN_CART, None, "zh-CN") != because(Angle.IN_CART, None, "fr-FR") == "it waits in your cart"


class TestBackInStock:
    def test_of_what_lies_in_the_cart(self) -> None:
        assert why(BACK, because=Angle.IN_CART, carted_at_ms=NOW - 3 * HOUR).angle is Angle.BACK_IN_STOCK
        assert why(BACK, because=Angle.IN_CART, carted_at_ms=NOW - HOUR // 2).angle is Angle.IN_CART

    def test_of_what_was_looked_at_last_time(self) -> None:
        told = why(BACK, because=Angle.BACK_IN_STOCK, carted_at_ms=NOW - DAY)
        assert told.angle is Angle.BACK_IN_STOCK
        assert told.because == "you looked at it or chose it before, and it is in stock again"

    @pytest.mark.parametrize(
        "facts",
        [
            folded(upserted()),
            folded(upserted(), stocked(0)),
            folded(upserted(), stocked(0, NOW - 9 * DAY), stocked(5, NOW - 8 * DAY)),
        ],
        ids=["never went", "still gone", "came back long ago"],
    )
    def test_only_what_is_just_back_is_said_to_be(self, facts: Facts) -> None:
        step = on_ask(shelf(facts), ask(because=Angle.BACK_IN_STOCK, carted_at_ms=NOW - DAY), NOW, NO_MODEL)
        assert reasons(step) == ["not_back"]
        assert [publish.card.status for publish in cards(step)] == [Status.WITHDRAWN]


def test_a_price_like_those_that_are_looked_at_is_said_so() -> None:
    near, far = (taste(band=Band("kitchen.kettles", "GBP", low, low + 2_000)) for low in (3_000, 9_000))
    assert (
        why(seed=KETTLE, taste=near).because
        == "it is like the kettle you were looking at; and it costs about what you look at"
    )
    assert why(seed=KETTLE, taste=far).because == "it is like the kettle you were looking at"
    assert why(seed=KETTLE, taste=near, locale="zh-CN").because.endswith("价位也与您常看的相近")


class TestBought:
    BOUGHT = Bought(key="kettle-1", shopper_id="ada", placements=("next_1", "next_2"), revision=(NOW << 10) + 1)

    def test_its_cards_are_found(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        assert [card.audience.placement for card in bought_cards(state.live, self.BOUGHT)] == ["next_1"]

    def test_those_of_others_of_later_and_of_what_was_passed_on_are_not(self) -> None:
        for changes in ({"shopper_id": "bea"}, {"revision": (NOW << 10) + 2}, {"mode": Mode.NEXT}):
            state = after(shelf(), on_ask(shelf(), ask(**changes), NOW, NO_MODEL))
            assert state.live or changes.get("mode")
            assert bought_cards(state.live, self.BOUGHT) == []
            assert all(card.stage in Stage for card in state.live.values())
