"""Measure words and domains of Chinese kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.grammar import kind_class
from shelftalk.core.grounding import ungrounded
from shelftalk.core.kinds import Sort, domains, measures, sort_of, with_measure, without_measure
from shelftalk.core.phrasebook import phrases
from shelftalk.core.word_slots import put_words, take_words
from shelftalk.demo.catalogue import load_demo_store


@pytest.mark.parametrize(
    ("kind", "sort"),
    [
        ("跑步鞋", Sort("shoes", "双")),
        ("牛仔裤", Sort("wear", "条")),
        ("铸铁锅", Sort("cook", "口")),
        ("电饭煲", Sort("appliance", "台")),
        ("办公椅", Sort("furniture", "把")),
        ("台灯", Sort("light", "盏")),
        ("绘本", Sort("book", "本")),
        ("帆布包", Sort("bag", "只")),
        ("吐司面包", Sort("food", "份")),  # the longest end decides: no bag
        ("茶包", Sort("brew", "盒")),
        ("雨伞", Sort("", "把")),
        ("量子对撞仪", Sort()),
        ("running shoes", Sort()),
        ("", Sort()),
    ],
)
def test_the_longest_end_that_fits_decides(kind: str, sort: Sort) -> None:
    assert sort_of(kind) == sort
    assert kind_class(kind) == sort.domain or not sort.domain


def test_a_point_is_not_what_this_points_at() -> None:
    assert with_measure("这款{w1}，这款，一款{w1}的{kind}", "布鞋") == "这款{w1}，这双，一双{w1}的{kind}"


def test_what_nothing_is_known_of_is_counted_in_pieces() -> None:
    assert with_measure("还有{stock_left}件，这款", "量子对撞仪") == "还有{stock_left}件，这款"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("布鞋", "还有{stock_left}双，这双布鞋"),
        ("菜刀", "还有{stock_left}把，这把菜刀"),
        ("咖啡豆", "还有{stock_left}袋，这袋咖啡豆"),
    ],
)
def test_products_are_counted_and_pointed_at_as_they_are_spoken_of(kind: str, said: str) -> None:
    brief = _brief(kind=kind)
    assert put_words(brief, "还有{stock_left}件，这款{kind}") == said
    assert take_words(brief, said) == "还有{stock_left}件，这款{kind}"


@given(
    st.sampled_from(sorted({"布鞋", "菜刀", "咖啡豆", "雨伞", "量子对撞仪"})),
    st.text("还有{stock_left}件这一款，。双把{kind}", max_size=30),
)
def test_measures_are_put_back_as_they_were_taken(kind: str, text: str) -> None:
    put = with_measure(text, kind)
    assert with_measure(without_measure(put, kind), kind) == put


def test_every_product_of_the_demo_store_has_a_measure_word() -> None:
    assert not [product.kind for product in load_demo_store("zh").products if not sort_of(product.kind).measure]


def test_a_domain_lends_its_words_to_its_own_kinds_only() -> None:
    text = "上脚走两步就知道：牛筋底。{name}，{price}。"
    assert not ungrounded(_brief(kind="布鞋", points=("牛筋底",)), text)
    (problem,) = ungrounded(_brief(kind="台灯", points=("牛筋底",)), text)
    assert problem.startswith("invented: ")


def test_the_phrasebook_counts_shoes_in_pairs() -> None:
    texts = list(phrases(_brief(kind="布鞋", points=("千层底",), promotion=Promotion.LOW_STOCK)))
    assert texts
    assert not [text for text in texts if "{stock_left}件" in text or "款" in text]
    assert [text for text in texts if "{stock_left}双" in text]


def test_measures_and_domains_are_words() -> None:
    assert all(len(measure) == 1 for measure in measures())
    assert all(domain.isascii() and domain.isalpha() for domain in domains())


def _brief(
    *, kind: str, points: tuple[str, ...] = (), promotion: Promotion = Promotion.NONE, angle: Angle = Angle.INTRODUCE
) -> Brief:
    return Brief(
        "Z1", kind, points, Channel.CARD, angle, None, promotion, Tone.PLAIN, False, "zh", "slots-v5", "shelftalk-mini"
    )
