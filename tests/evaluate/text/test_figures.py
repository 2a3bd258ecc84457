"""Figures of texts, on texts whose figures can be told by hand."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from shelftalk.core.brief import Promotion
from shelftalk.errors import ConfigError
from shelftalk.evaluate.text.briefs import foreign_cases, held_out_cases, shopper_pages
from shelftalk.evaluate.text.command import Request, run
from shelftalk.evaluate.text.evaluation import Contestant, Result
from shelftalk.evaluate.text.generate import example_brief
from shelftalk.evaluate.text.honesty import honesty
from shelftalk.evaluate.text.ladder import Judged, read_judged, rung_of
from shelftalk.evaluate.text.measures import by_chance, coverage, form, overlap, tokens
from shelftalk.evaluate.text.pages import page_figures
from shelftalk.evaluate.text.rate import key, pairs_of, rate, sheet, tally, verdict, wilson
from shelftalk.evaluate.text.references import litemall
from shelftalk.evaluate.text.variety import beside, more_alike, variety
from shelftalk.train.mixture import gather
from tests.engine.headline_made import build_tiny_headline

BRIEF = example_brief()


def test_words_and_characters() -> None:
    assert tokens("It's {p1}, 20% off: 保温杯!") == ["it's", "p", "1", "20", "off", "保", "温", "杯"]


def test_the_same_text_overlaps_wholly_and_another_not_at_all() -> None:
    texts = ["A kettle that pours where you point it.", "Light on the trail and steady in the rain."]
    same = overlap(texts, texts, "en")
    assert same["bleu"] == pytest.approx(100)
    assert same["rougeL"] == pytest.approx(100)
    assert overlap(texts, ["Quite something else, my dear friend!"] * 2, "en")["rouge2"] == 0
    assert overlap(["真空双层，慢慢喝。"], ["真空双层，慢慢喝。"], "zh")["bleu"] == pytest.approx(100)


def test_variety_of_a_parrot_and_of_two_voices() -> None:
    parrot = variety(["The same words again and again here."] * 4, "en")
    voices = variety(["A kettle that pours well today.", "Trail shoes for wet stones nearby."], "en")
    assert parrot["self_bleu"] == pytest.approx(100)
    assert parrot["different_texts"] == 0.25
    assert voices["distinct_2"] == 1
    assert voices["self_bleu"] < 10


def test_a_writer_of_longer_texts_or_one_that_names_the_product_is_not_called_dull_for_it() -> None:
    briefly = ["gooseneck spout pours", "keeps warm long", "soft on wet stones", "laces stay tied"]
    named = [f"{text}, {kind}" for text, kind in zip(briefly, ["alder kettle"] * 2 + ["gorse shoes"] * 2, strict=True)]
    figures = beside({"briefly": briefly, "named": named}, [1, 1, 2, 2], "en")
    plainly = variety(named, "en")["distinct_2"]
    assert plainly < figures["briefly"]["distinct_2_same_length"] == 1
    assert figures["named"]["distinct_2_shelf"] == 1 > plainly
    assert beside({"parrot": ["the same again"] * 4}, [1, 1, 2, 2], "en")["parrot"]["distinct_2_shelf"] == 0.5


def test_a_parrot_is_more_alike_than_people_and_a_brief_writer_is_not() -> None:
    people = [
        "red boats over the edge of a slow hill, and home",
        "green birds over the rim of a slow lake, and home",
        "blue carts over the back of a slow road, and home",
        "grey kites above the top of a quick field, then home",
    ]
    products = families = list(range(len(people)))
    parrot = more_alike(["on the way to the same old sea, again"] * len(people), people, products, families)
    low, middle, high = (parrot[f"self_bleu_over_people{end}"] for end in ("_low", "", "_high"))
    assert 0 < low < middle < high
    briefly = more_alike([" ".join(text.split()[:5]) for text in people], people, products, families)
    assert set(briefly.values()) == {0.0}, "the same words, only fewer"


def test_honesty_finds_each_fault() -> None:
    texts = {
        "An electric kettle with a gooseneck spout, {price}.": (),
        "An electric kettle, 20 off.": ("wrong_facts",),
        "An electric kettle for {was_price}.": ("wrong_facts", "false_urgency"),
        "An electric kettle, and it is waterproof.": ("invented_claims", "ungrounded"),
        "The best electric kettle for you.": ("banned", "ungrounded"),
        "Hurry, an electric kettle for you.": ("false_urgency", "ungrounded"),
    }
    for text, faults in texts.items():
        figures = honesty([BRIEF], [text])
        assert {name for name, share in figures.items() if share and name != "refused"} == set(faults), text


def test_coverage_and_form() -> None:
    low = msgspec.structs.replace(BRIEF, promotion=Promotion.LOW_STOCK)
    figures = coverage(
        [BRIEF, BRIEF, BRIEF, low], ["A gooseneck spout.", "It {p1}.", "A kettle.", "{stock_left} left."]
    )
    assert figures == {"names_a_point": 0.5, "tells_the_promotion": 1.0}
    shape = form([BRIEF, BRIEF], ["One two three and one two three.", "Short."])
    assert (shape["repetition"], shape["length_fit"]) == (0.5, 0.5)


def test_pages_whose_cards_open_alike() -> None:
    pages = [
        ["New here: the lamp.", "New here: the rug.", "Back again."],
        ["Still in your cart.", "A lamp by Lumo.", "Back again."],
    ]
    assert page_figures(pages) == {"pages_with_same_opening": 0.5, "pages_with_near_duplicates": 0.0}
    numbered = [["5 left on the shelf.", "7 left on the shelf."], ["…", "…"]]
    assert page_figures(numbered)["pages_with_same_opening"] == 0.5, "as the fence counts: numbers tell none apart"


def _result(name: str, passed: float, self_bleu: float, chrf: float = 30, first: float = 0.9) -> Result:
    folder = None if name in {"human", "phrasebook"} else Path(name)
    figures = {"passed": passed, "passed_first_draft": first, "self_bleu": self_bleu, "chrf": chrf}
    return Result("g", Contestant(name, name, folder), [], [], figures)


def test_who_passes_wins_and_among_alike_who_varies() -> None:
    book, human = _result("phrasebook", 1.0, 50, 25), _result("human", 1.0, 20)
    often, varied = _result("often", 0.95, 45), _result("varied", 0.92, 30)
    wild, dull = _result("wild", 0.6, 10), _result("dull", 1.0, 70, 20)
    assert rung_of([human, book, often, varied, wild]).generated == "varied"
    assert rung_of([human, book, often, wild]).generated == "often"
    alone = rung_of([human, book, dull])
    assert (alone.generated, alone.otherwise, alone.is_default) == (None, "phrasebook", False)
    assert rung_of([human, book]).generated is None
    assert rung_of([book, _result("shelftalk-mini", 0.9, 30)]).is_default


def test_of_models_that_are_about_as_varied_the_one_that_needs_the_fewest_drafts_writes() -> None:
    book, sure, wasteful = (
        _result("phrasebook", 1.0, 50, 25),
        _result("sure", 1.0, 31, first=0.98),
        _result("b", 1.0, 30, first=0.7),
    )
    assert rung_of([book, wasteful, sure]).generated == "sure"
    assert rung_of([book, wasteful, _result("duller", 1.0, 33, first=0.98)]).generated == "b"


def test_where_chance_may_be_all_the_varied_one_writes() -> None:
    book, varied, alike = _result("phrasebook", 1.0, 40, 30), _result("a", 1.0, 30, 29), _result("b", 1.0, 50, 31)
    assert rung_of([book, varied]).generated is None
    for result in (varied, alike):
        result.figures["chrf_chance"] = 0.2
    assert rung_of([book, varied]).generated == "a"
    assert rung_of([book, alike]).generated is None


def test_what_chance_makes_of_a_difference() -> None:
    references = [f"A kettle number {number} with a spout that pours." for number in range(40)]
    odd = [text.replace("pours", "sings") if number % 2 else text for number, text in enumerate(references)]
    even = [text if number % 2 else text.replace("pours", "sings") for number, text in enumerate(references)]
    wrong = ["Nothing of the kind at all."] * 40
    chances = by_chance({"odd": odd, "even": even, "wrong": wrong}, "odd", references)
    assert chances["wrong"] < 0.01
    assert chances["even"] > 0.2
    assert by_chance({"odd": odd}, "book", references) == {}


def test_held_out_briefs_are_of_products_that_training_never_saw() -> None:
    material = gather()
    for language in ("en", "zh"):
        kinds = {case.brief.kind.casefold() for case in held_out_cases(language)}
        assert kinds
        assert kinds.isdisjoint(goods.kind.casefold() for goods in material.goods[language])
    assert len({brief.sku for page in shopper_pages(3) for brief in page}) > 6


def test_a_foreign_test_set(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    rows = [
        {
            "attributes": {
                "name": "Tecra 9",
                "type": "Laptop",
                "price": "900 dollars",
                "memory": "4 gb",
                "touchscreen": "yes",
            },
            "reference": "The Tecra 9 is a touchscreen laptop for 900 dollars.",
        }
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (case,) = foreign_cases(path)
    assert case.brief.kind == "laptop"
    assert case.brief.points == ("4 gb memory", "touchscreen")
    assert case.reference == "The {name} is a touchscreen laptop for {price}."
    path.write_text('{"text": "no attributes"}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"set\.jsonl:1"):
        foreign_cases(path)


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_rating_is_blind_logged_and_can_be_broken_off(tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    _write(texts, _texts(20))
    pairs = pairs_of(texts, "a", "b", 12, seed=1)
    assert {pair.left_name for pair in pairs} == {"a", "b"}
    answers = iter(["1", "nonsense", "2", "0", "q"])
    shown: list[str] = []
    wins = rate(pairs, lambda _: next(answers), shown.append, tmp_path / "log.jsonl")
    expected = Counter({pairs[0].left_name: 1}) + Counter({pairs[1].right_name: 1}) + Counter({"": 1})
    assert wins == expected
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    assert verdict("a", "b", wins).ratings == 3
    with pytest.raises(ConfigError, match="a, b"):
        pairs_of(texts, "a", "nobody", 3, seed=1)


def test_a_judge_elsewhere_sees_no_names_and_the_answers_are_counted_by_them(tmp_path: Path) -> None:
    texts, answers, names = (tmp_path / f"{name}.jsonl" for name in ("texts", "answers", "key"))
    _write(texts, [*_texts(20), *_texts(5, group="en")])
    pairs = pairs_of(texts, "a", "b", 12, seed=1, group="zh")
    seen = sheet(pairs)
    assert [row.keys() for row in seen] == [{"pair", "product", "a", "b"}] * 12
    assert all(row["product"].startswith("zh product") and "[" not in row["product"] for row in seen)
    _write(names, key(pairs))
    better = ["a", "B", "neither"]
    _write(answers, [{"pair": n, "better": say, "why": "reads well"} for n, say in enumerate(better, start=1)])
    assert tally(answers, names) == Counter([pairs[0].left_name, pairs[1].right_name, ""])
    for wrong, said in (
        ({"pair": 99, "better": "a"}, "99"),
        ({"better": "a"}, "wants"),
        ({"pair": 1, "better": "a"}, "before"),
    ):
        _write(answers, [{"pair": 1, "better": "a"}, wrong])
        with pytest.raises(ConfigError, match=said):
            tally(answers, names)


def test_slogans_become_references_of_products_whose_kind_is_known(tmp_path: Path) -> None:
    goods = [
        {"name": "水洗蚕丝被", "brief": "轻薄，也暖和", "retail_price": "699"},
        {"name": "手工皂", "brief": "", "retail_price": "9"},
        {"name": "牛皮短靴", "brief": "一句话", "retail_price": "9"},
        {"name": "量子对撞仪", "brief": "对撞，发光", "retail_price": "9"},
    ]
    (tmp_path / "goods.json").write_text(json.dumps(goods), encoding="utf-8")
    facts = {"name": "水洗蚕丝被", "kind": "蚕丝被", "price": "¥699", "point 1": "轻薄", "point 2": "也暖和"}
    rows = litemall(tmp_path)
    assert rows == [{"attributes": facts, "reference": "轻薄，也暖和"}]
    _write(tmp_path / "set.jsonl", rows)
    (case,) = foreign_cases(tmp_path / "set.jsonl", "zh")
    assert (case.brief.kind, case.brief.points) == ("蚕丝被", ("轻薄", "也暖和"))


def _texts(count: int, group: str = "zh") -> list[dict[str, str]]:
    return [
        {"group": group, "brief": f"{group} product {n} [card, introduce]", "who": who, "text": f"{who} {n}"}
        for n in range(count)
        for who in ("a", "b")
    ]


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_an_evaluation_from_end_to_end(tmp_path: Path) -> None:
    folder = build_tiny_headline(tmp_path / "model")
    figures = run(Request(models=(f"tiny={folder}",), limit=6, pages=2, perplexity=False, out=tmp_path / "out"))
    group = figures["groups"]["en lines, cards and ads"]
    assert {"human", "phrasebook", "tiny"} == set(group)
    assert group["tiny"]["first_wrong_facts"] == 0
    assert group["tiny"]["passed"] < group["phrasebook"]["passed"]
    assert figures["pages"].keys() == {"phrasebook", "tiny"}
    report = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in report
    assert "http" not in report.split("base64")[0]
    rows = [json.loads(row) for row in (tmp_path / "out/texts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["who"] for row in rows} == {"human", "phrasebook", "tiny"}


def test_models_are_named_or_are_folders_and_an_error_says_which_there_are(tmp_path: Path) -> None:
    request = Request(models=("shelftalk-mini",), limit=3, pages=0, perplexity=False, out=tmp_path)
    group = run(request)["groups"]["en lines, cards and ads"]
    assert "shelftalk-mini" in group
    assert group["shelftalk-mini"]["passed_first_draft"] <= group["shelftalk-mini"]["passed_first_try"]
    for wrong in ("shelftalk-maxi", f"mine={tmp_path / 'nowhere'}"):
        with pytest.raises(ConfigError, match=r"nowhere|shelftalk-maxi.*shelftalk-mini"):
            run(Request(models=(wrong,), perplexity=False, out=tmp_path))


def test_what_judges_said_blind_decides_before_figures_do() -> None:
    book, made = _result("phrasebook", 1.0, 40, 30), _result("a", 1.0, 30, 20)

    def said(rate: float, low: float, high: float) -> Judged:
        return Judged("a", "phrasebook", 50, rate, low, high, "g", "somebody")

    assert rung_of([book, made], [said(0.7, 0.6, 0.8)]).generated == "a"
    assert rung_of([book, made], [said(0.6, 0.4, 0.7)]).generated is None, "they could not tell"
    assert rung_of([book, made], [said(0.6, 0.4, 0.7)] * 4).generated == "a", "four of them could"
    assert rung_of([book, _result("a", 1.0, 30, 40)], [said(0.2, 0.1, 0.3)]).generated is None
    assert all(0 <= one.low <= one.rate <= one.high <= 1 for one in read_judged())


def test_a_discount_is_a_fact_and_a_fold_is_none() -> None:
    chinese = msgspec.structs.replace(BRIEF, locale="zh", kind="书签", points=())
    assert honesty([chinese], ["不用再把书角折起来。"])["wrong_facts"] == 0
    assert honesty([chinese], ["现在打八折，{name}。"])["wrong_facts"] == 1
