"""Slots filled from the newest facts."""

import pytest

from shelftalk.core.render import fill, slot_values, slots_in
from tests.core.making import DAY, NOW, folded, priced, stocked, upserted


def test_a_price_move_is_a_render() -> None:
    slotted = "{name} by {brand}: {price}."
    before = folded(upserted())
    dearer = folded(priced(4_100), facts=before, first=1)
    assert fill(slotted, slot_values(before, (), "en-GB")) == "Harbour Kettle by Harbour: £40.00."
    assert fill(slotted, slot_values(dearer, (), "en-GB")) == "Harbour Kettle by Harbour: £41.00."


def test_a_sale_has_its_slots_and_no_sale_has_none() -> None:
    sale = slot_values(folded(upserted(), priced(3_000, NOW, NOW + DAY)), (), "en-GB")
    assert (sale["was_price"], sale["percent_off"], sale["ends_on"]) == ("£40.00", "25%", "Saturday")
    assert not {"was_price", "percent_off", "ends_on"} & slot_values(folded(upserted()), (), "en-GB").keys()


def test_numbers_among_the_points_go_through_slots() -> None:
    values = slot_values(folded(upserted(), stocked(3)), ("holds its heat", "900 ml", "2 years' guarantee"), "en-GB")
    assert (values["p1"], values["p2"], values["stock_left"]) == ("900 ml", "2 years' guarantee", "3")


def test_a_point_that_opens_the_text_gets_a_capital_and_a_name_keeps_its_own() -> None:
    assert fill("{p1}, {p1}.", {"p1": "runs 2 days"}) == "Runs 2 days, runs 2 days."
    assert fill("{name}.", {"name": "iPhone"}) == "iPhone."


def test_what_a_value_brings_is_not_filled_again() -> None:
    assert fill("{name}.", {"name": "{price}", "price": "£1"}) == "{price}."


def test_a_slot_without_a_value_is_an_error_and_never_an_empty_place() -> None:
    with pytest.raises(KeyError):
        fill("{was_price}", slot_values(folded(upserted()), (), "en-GB"))


def test_slots_in_a_text() -> None:
    assert slots_in("{name}, {p1} and {p1}; {Not} {9} { price }") == {"name", "p1"}


@pytest.mark.parametrize(
    ("slotted", "values", "text"),
    [
        ("By hand: {name}.", {"name": "Guess Who?"}, "By hand: Guess Who?"),
        ("{name}. It folds flat.", {"name": "Guess Who?"}, "Guess Who? It folds flat."),
        ("New from {brand}.", {"brand": "Acme Inc."}, "New from Acme Inc."),
        ("{brand}, {price}.", {"brand": "Acme Inc.", "price": "£9"}, "Acme Inc., £9."),
        ("这款是{name}。", {"name": "你好！"}, "这款是你好！"),
        ("{p1}. {name}.", {"p1": "runs 2 hours", "name": "iKettle"}, "Runs 2 hours. iKettle."),
    ],
)
def test_a_name_with_a_stop_of_its_own_takes_no_second(slotted: str, values: dict[str, str], text: str) -> None:
    assert fill(slotted, values) == text
