"""The words of a search: whether they named a product's kind."""

import pytest

from shelftalk.core.terms import MAX_TERMS, names, terms


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("steel kettle", "pour-over kettle"),
        ("Kettles", "kettle"),
        ("kettle for camping", "kettle"),
        ("headphones wireless", "wireless headphones"),
        ("paint brushes", "brush"),
        ("手冲壶推荐", "手冲壶"),
        ("  CERAMIC   Mug!!", "ceramic mug"),
    ],
)
def test_it_did(query: str, kind: str) -> None:
    assert names(terms(query), kind)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("tea towel", "tea"),
        ("kettle stand", "kettle"),
        ("", "kettle"),
        ("kettle", ""),
        ("12345 !!", "kettle"),
        ("保温杯", "手冲壶"),
    ],
)
def test_it_did_not(query: str, kind: str) -> None:
    assert not names(terms(query), kind)


def test_what_was_typed_is_neither_kept_nor_unbounded() -> None:
    assert len(terms("word " * 500)) == MAX_TERMS
    assert all(isinstance(term, int) for term in terms("ada@example.org my secret"))
