"""Products of a kind are numbered, and the numbers make them say different things."""

import itertools
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle, Promotion
from shelftalk.core.facts import Facts
from shelftalk.core.places import Places
from shelftalk.core.remarks import family, known, remarks_for
from tests.core.making import brief

KINDS = ("mug", "travel mug", "yoga mat", "保温杯", "bouilloire", "")


def test_kinds_that_are_told_the_same_are_one_family() -> None:
    assert family("folding umbrella") == family("umbrella")
    assert family("children's umbrella") == "umbrella"
    assert family("bouilloire") == "bouilloire"


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(KINDS)), max_size=60),
    st.integers(1, 5),
    st.lists(st.integers(0, 59), max_size=3),
)
def test_no_two_products_of_a_kind_have_one_number(
    events: list[tuple[int, str]], partitions: int, crashes: list[int]
) -> None:
    """On any number of partitions, whatever kinds products change to, and however often a worker begins anew."""
    facts = {sku: Facts(sku=str(sku)) for sku in range(10)}
    places = [Places((), number, partitions) for number in range(partitions)]
    for at, (sku, kind) in enumerate(events):
        partition = sku % partitions
        if at in crashes:
            mine = (one for other, one in facts.items() if other % partitions == partition)
            places[partition] = Places(mine, partition, partitions)
        before = facts[sku]
        facts[sku] = places[partition].placed(msgspec.structs.replace(before, kind=kind), before)
        if before.place is not None and kind and family(kind) == family(before.kind):
            assert facts[sku].place == before.place, "its own for as long as it is what it is"
    numbers: dict[str, list[int | None]] = defaultdict(list)
    for one in facts.values():
        if one.kind:
            numbers[family(one.kind)].append(one.place)
    for of, found in numbers.items():
        assert None not in found
        assert len(set(found)) == len(found), of


@pytest.mark.parametrize(("kind", "language"), [("umbrella", "en"), ("双肩包", "zh")])
def test_numbered_products_of_a_kind_say_different_things_for_the_same_reason(kind: str, language: str) -> None:
    uses = known(kind, (), language)[0]
    assert len(uses) > 12
    page = [brief(sku=str(n), kind=kind, points=(), locale=language, place=n) for n in range(len(uses))]
    assert len({remarks_for(one).use for one in page}) == len(page)


@pytest.mark.parametrize(("kind", "language"), [("umbrella", "en"), ("双肩包", "zh")])
def test_a_product_says_another_thing_for_every_reason(kind: str, language: str) -> None:
    """As far as there are as many: on a page of its own no two of its texts begin alike."""
    uses = known(kind, (), language)[0]
    reasons = [(angle, promotion) for promotion in Promotion for angle in Angle if angle.worded is angle][: len(uses)]
    said = [
        remarks_for(brief(kind=kind, points=(), locale=language, angle=angle, promotion=promotion, place=3)).use
        for angle, promotion in reasons
    ]
    assert len(set(said)) == len(said) == len(uses)


def test_the_first_products_of_a_kind_begin_far_from_each_other() -> None:
    uses = known("umbrella", (), "en")[0]
    begins = [uses.index(remarks_for(brief(kind="umbrella", points=(), place=n)).use) for n in range(4)]
    apart = [(b - a) % len(uses) for a, b in itertools.pairwise(sorted([*begins, min(begins) + len(uses)]))]
    assert min(apart) > len(uses) // 8
