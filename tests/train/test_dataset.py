import random

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.modelling.slots import slot_ids
from shelftalk.modelling.tiny import tiny_tokenizer_json
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.train.checks import render_sample
from shelftalk.train.dataset import (
    END,
    Example,
    Pair,
    augmented,
    encode,
    length_buckets,
    pairs_of,
    shuffle_points,
    split_by_product,
)
from shelftalk.train.lines import Product, brief_for, load_products
from tests.train.made import line, product


@given(st.randoms(use_true_random=False))
def test_shuffling_points_never_changes_what_the_shopper_reads(rng: random.Random) -> None:
    before = product(line("{p1} of water, {p2} to boil it."), line("Steel, and no more."))
    after = shuffle_points(before, rng)
    assert sorted(after.points) == sorted(before.points)
    for old, new in zip(before.lines, after.lines, strict=True):
        assert render_sample(new.text, after.points) == render_sample(old.text, before.points)


def test_shuffling_does_renumber() -> None:
    before = product(line("{p1} of water, {p2} to boil it."))
    texts = {shuffle_points(before, random.Random(seed)).lines[0].text for seed in range(20)}
    assert texts == {"{p1} of water, {p2} to boil it.", "{p2} of water, {p1} to boil it."}


def test_a_text_with_a_brand_is_always_branded_and_others_sometimes() -> None:
    made = product(*[line("From {brand}."), line("From us.")] * 50)
    pairs = pairs_of(made, random.Random(0))
    assert all(pair.brief.branded for pair in pairs if "{brand}" in pair.text)
    assert {pair.brief.branded for pair in pairs if "{brand}" not in pair.text} == {True, False}


def test_no_kind_is_on_both_sides_of_the_split() -> None:
    products = load_products()
    training, held_out = split_by_product(products, 0.08, 7)
    assert len(training) + len(held_out) == len(products)
    assert {p.kind.casefold() for p in training}.isdisjoint(p.kind.casefold() for p in held_out)
    assert 0.04 < len(held_out) / len(products) < 0.12


def test_a_product_stays_on_its_side_when_others_come() -> None:
    products = [Product(f"mug {number}", (), ()) for number in range(200)]
    _, few = split_by_product(products[:100], 0.3, 1)
    _, many = split_by_product(products, 0.3, 1)
    assert many[: len(few)] == few


def test_the_first_version_keeps_the_writers_order_and_versions_repeat() -> None:
    products = [product(line("{p1} of water."), line("{p2} to boil it."))]
    assert augmented(products, 7, 0)[0].brief.points == products[0].points
    assert augmented(products, 7, 1) == augmented(products, 7, 1)


def test_slots_and_the_end_are_one_token_each() -> None:
    tokenizer = make_tokenizer(tiny_tokenizer_json())
    made = line("{name} pours {p1}.")
    example = encode(tokenizer, Pair(brief_for(product(), made, branded=False), made.text))
    ids = slot_ids()
    assert example.target[0] == ids["{name}"]
    assert ids["{p1}"] in example.target
    assert ids["{p1}"] in example.prompt
    assert example.target[-1] == tokenizer.token_to_id(END)
    assert tokenizer.decode(example.target[:-1], skip_special_tokens=False) == made.text


@given(st.lists(st.integers(1, 90), min_size=1, max_size=400), st.integers(1, 16))
def test_buckets_hold_every_example_once(lengths: list[int], batch: int) -> None:
    examples = [Example([1] * length, [2]) for length in lengths]
    batches = length_buckets(examples, batch, random.Random(3))
    assert sorted(index for indices in batches for index in indices) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch
