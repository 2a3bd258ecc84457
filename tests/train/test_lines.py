from pathlib import Path

import pytest

from shelftalk.core.brief import Angle, Promotion
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.prompt import prompt_for
from shelftalk.errors import ConfigError
from shelftalk.train.checks import problems
from shelftalk.train.lines import brief_for, cells, load_products, read_products
from tests.train.made import line, product


@pytest.mark.parametrize(("language", "count"), [("en", 5700), ("zh", 4400)])
def test_every_committed_line_keeps_the_writers_guide(language: str, count: int) -> None:
    products = load_products(language=language)
    assert sum(len(product.lines) for product in products) > count
    breaches = [
        f"{product.source}: {what}: {line.text}"
        for product in products
        for line in product.lines
        for what in problems(product, line)
    ]
    assert not breaches, "\n".join(breaches)


def test_every_line_passes_the_guard() -> None:
    refused = [
        f"{product.source}: {verdict.reasons}: {line.text}"
        for product in load_products(language="*")
        for line in product.lines
        if (verdict := judge(brief_for(product, line, branded=True), line.text)).outcome is not Outcome.PASS
    ]
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_angle_and_promotion_has_lines(language: str) -> None:
    lines = [line for product in load_products(language=language) for line in product.lines]
    assert {line.angle for line in lines} == {angle.worded for angle in Angle}
    assert {line.promo for line in lines} == set(Promotion) - {Promotion.SOLD_OUT}


def test_a_broken_line_is_named_by_file_and_number(tmp_path: Path) -> None:
    path = tmp_path / "en-broken.jsonl"
    path.write_text('{"kind": "mug", "points": [], "lines": []}\n\n{"kind": "mug", "points": [], "lines": [{}]}\n')
    with pytest.raises(ConfigError, match=r"en-broken\.jsonl:3: .*channel"):
        list(read_products(path))


def test_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "en-broken.jsonl"
    path.write_text('{"kind": "mug", "point": ["blue"], "points": [], "lines": []}\n')
    with pytest.raises(ConfigError, match="point"):
        list(read_products(path))


@pytest.mark.usefixtures("few_remarks")
def test_the_brief_of_a_line_makes_the_prompt_that_the_runtime_makes() -> None:
    made = line("Socks first.", angle=Angle.GOES_WITH, anchor="mug tree")
    assert prompt_for(brief_for(product(), made, branded=True), voice="k") == (
        "<|im_start|>user\ncard, goes with mug tree, none, plain, branded, k\npour-over kettle\n"
        "{p1} = 900 ml; gooseneck spout; {p2} = 1200 W; steel; {use}<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_cells_are_counted_the_empty_ones_too(language: str) -> None:
    counted = cells(language)
    assert counted.total() == sum(len(product.lines) for product in load_products(language=language))
    assert len(counted) == 4 * (8 * 6 + 2)
    assert not [cell for cell, count in counted.items() if not count]
