import msgspec
import pytest

from shelftalk.core.brief import Angle, Channel, Promotion
from shelftalk.train.checks import doubts, problems, render_sample, repeated
from tests.train.made import line, product

GOOD = "A gooseneck spout puts the water where the coffee is, and nowhere else."


def test_a_good_line_has_no_problem() -> None:
    assert problems(product(), line(GOOD)) == []


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("A kettle of 900 ml that pours where you point it.", {}, "characters"),
        ("A kettle that pours where you point it, £39 today.", {}, "characters"),
        ("A kettle that pours where you point it \U0001f642.", {}, "characters"),
        ("The steel kettle that holds {p3} and pours slowly.", {}, "slot {p3}"),
        ("Was {was_price}, and it pours where you point it.", {}, "slot {was_price}"),
        ("Some call it {name}, others call it {name} as well.", {}, "more than once"),
        ("Every kitchen counter deserves a {name}.", {}, "title"),
        ("The kettle with the long spout, from the same people.", {"angle": Angle.YOUR_BRAND}, "without {brand}"),
        ("The best steel kettle with a gooseneck spout.", {}, "superlative"),
        ("Hurry: a steel kettle with a gooseneck spout.", {}, "urgency"),
        ("Customers love this steel kettle and its spout.", {}, "opinions"),
        ("Discover the steel kettle with a gooseneck spout.", {}, "opening"),
        ("A gray steel kettle with a gooseneck spout.", {}, "American"),
        ("Steel kettle.", {}, "wants 35 to 105"),
        ("A steel kettle with a gooseneck spout", {}, "full stop"),
        ("A steel kettle with a gooseneck spout, reduced.", {}, "offer or stock"),
        ("A steel kettle with a gooseneck spout, as ever.", {"promo": Promotion.SALE}, "without the saving"),
        ("A steel kettle with a gooseneck spout, less {percent_off}.", {"promo": Promotion.ENDING_SOON}, "{ends_on}"),
        ("A steel kettle with a gooseneck spout, but few left.", {"promo": Promotion.LOW_STOCK}, "{stock_left}"),
        ("A steel kettle with a gooseneck spout for you.", {"promo": Promotion.BACK_IN_STOCK}, "back_in_stock"),
        ("A steel kettle with a gooseneck spout for less.", {"angle": Angle.PRICE_DROPPED}, "price_dropped under none"),
        ("A steel kettle with a gooseneck spout for you.", {"anchor": "mug"}, "anchor"),
        ("A steel kettle with a gooseneck spout for you.", {"angle": Angle.GOES_WITH}, "anchor"),
        ("A STEEL kettle with a gooseneck spout for you.", {}, "capitals"),
        ("A steel kettle  with a gooseneck spout for you.", {}, "white space"),
    ],
)
def test_a_breach_is_found(text: str, changes: dict[str, object], expected: str) -> None:
    found = problems(product(), line(text, **changes))
    assert any(expected in what for what in found), found


def test_lengths_count_what_the_shopper_reads() -> None:
    long = "The {was_price} kettle pours {p1} where you point it, and holds the rest back until you ask it for more now, {price}."
    made = line(long, channel=Channel.AD, promo=Promotion.SALE)
    assert any("ad wants 25 to 85" in what for what in problems(product(), made))


def test_a_number_word_that_a_point_states_is_no_doubt() -> None:
    made = line("Two cups, and a gooseneck spout to fill them.")
    assert doubts(product(), made) == ["number word: two"]
    assert doubts(msgspec.structs.replace(product(), points=("fills two cups",)), made) == []


def test_sample_values_reach_the_text() -> None:
    assert render_sample("{name} holds {p1}; {p2}.", product().points) == "Fellside Trail 4 holds 900 ml; 1200 W."


def test_repeated_texts_are_found_across_products() -> None:
    twice = repeated([product(line(GOOD)), product(line(GOOD.upper()))])
    assert len(twice) == 1
    assert twice[0].startswith("2 times")
