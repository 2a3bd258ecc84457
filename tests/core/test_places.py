"""Products of a kind are numbered, and the numbers make them say different things."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle
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
    page = [brief(sku=str(n), kind=kind, points=(), locale=language, place=n) for n in range(len(uses) * 9 // 10)]
    assert len({remarks_for(one).use for one in page}) == len(page)


def test_neighbours_share_no_remark_for_any_reason() -> None:
    """As far as there are a dozen for each."""
    uses = known("umbrella", (), "en")[0]
    said = [
        {
            remarks_for(brief(sku=str(n), kind="umbrella", points=(), angle=angle, take=take, place=n)).use
            for angle in Angle
            for take in range(30)
        }
        for n in range(len(uses) // 12)
    ]
    assert len(said) > 1
    assert sum(map(len, said)) == len(set().union(*said)) == len(uses)
