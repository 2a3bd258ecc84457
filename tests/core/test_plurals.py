"""One product of a category that is named for many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.facts import plain_kind
from shelftalk.core.plurals import one_of


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("smartphones", "smartphone"), ("watches", "watch"), ("hobbies", "hobby"), ("potatoes", "potato"), ("boxes", "box"),
        ("gym jackets", "gym jacket"), ("running shoes", "running shoes"), ("headphones", "headphones"), ("dress", "dress"),
        ("camera lens", "camera lens"), ("bus", "bus"), ("kettle", "kettle"), ("电视", "电视"), ("", ""),
        ("pies", "pie"), ("bicycles", "bicycle"),
    ],
)  # fmt: skip
def test_one_of_many(many: str, one: str) -> None:
    assert one_of(many) == one


@given(st.text(max_size=30))
def test_it_only_shortens_the_last_word(noun: str) -> None:
    one = one_of(noun)
    assert one == noun or (noun.endswith("s") and one[:-1] == noun[: len(one) - 1])


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("electronics.smartphones", "smartphone"), ("beauty", ""), ("home/kitchen-accessories", ""), ("hoodies & sweatshirts", ""),
        ("everything", ""), ("kitchen.kettles", "kettle"), ("tops/bras and tanks", ""), ("shoes", "shoes"), ("sport/cycling", ""),
        ("jewellery/ring", "ring"), ("earring", "earring"),
    ],
)  # fmt: skip
def test_a_department_is_no_kind(category: str, kind: str) -> None:
    assert plain_kind(None, category) == kind
