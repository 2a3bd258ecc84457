"""The corpus: licences decide, facts become slots, nothing personal or repeated comes through."""

import json
from pathlib import Path

import msgspec
import pytest

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.errors import ConfigError
from shelftalk.train.catalogues import Entry, licence_of, may_train_on, singular
from shelftalk.train.clean import fingerprint, is_boilerplate, personal_data, plain, sentences
from shelftalk.train.corpus import Corpus, build_corpus, leaked, slotted
from shelftalk.train.dataset import Pair


def entry(**changes: object) -> Entry:
    fields: dict[str, object] = {
        "source": "set",
        "language": "en",
        "key": "1",
        "name": "Fellside Trail 4",
        "brand": "Fellside",
        "kind": "running shoe",
        "attributes": {},
        "text": "",
        "price": "39.00",
        "pairs": (),
    }
    return Entry(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT (LICENSE in repo)", True),
        ("MIT-0", True),
        ("Apache-2.0 (README)", True),
        ("OSL-3.0 or AFL-3.0; take AFL-3.0", True),
        ("CC BY 4.0 for the data", True),
        ("CC BY-SA 4.0 (dataset card)", False),
        ("MIT for the code, CC BY-SA 4.0 for the data. Share-alike", False),
        ("publisher's terms", False),
        ("GPL-3.0", False),
    ],
)
def test_only_permissive_sets_are_trained_on(licence: str, allowed: bool) -> None:
    assert may_train_on(licence) is allowed


def test_a_set_without_a_licence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"SOURCE\.txt"):
        licence_of(tmp_path)
    (tmp_path / "SOURCE.txt").write_text("repo: somewhere\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="licence"):
        licence_of(tmp_path)


def test_markup_becomes_lines() -> None:
    text = plain("<p>Warm &amp; dry.</p><ul><li>Two pockets.</li><li>Zip&trade;</li></ul>")
    assert text.split("\n") == ["Warm & dry.", "Two pockets.", "ZipTM"]
    assert sentences(text)[0] == "Warm & dry."


@pytest.mark.parametrize(
    "text", ["Mail a.b@example.org.", "Call 0171 234 5678.", "手机13812345678", "Ask Mr Smith.", "See https://x.y/z"]
)
def test_personal_data_is_found(text: str) -> None:
    assert personal_data(text)


@pytest.mark.parametrize("text", ["Holds 900 ml.", "A 28 cm pan for 4 people.", "Series 2000 kettle."])
def test_plain_numbers_are_not_personal(text: str) -> None:
    assert personal_data(text) is None


def test_the_shops_own_words_are_boilerplate() -> None:
    assert is_boilerplate("Free shipping on all orders.")
    assert not is_boilerplate("A spout that pours where you point it.")


def test_facts_become_slots() -> None:
    said = "the Fellside Trail 4 by fellside has an 8 mm drop , for $39.00"
    assert slotted(entry(), ("8 mm drop", "grippy"), said) == "The {name} by {brand} has an {p1}, for {price}."


def test_a_number_without_a_slot_drops_the_line() -> None:
    assert slotted(entry(), ("grippy",), "Weighs 240 grams.") is None


def test_texts_that_differ_in_case_and_digits_are_one() -> None:
    assert fingerprint("Holds 900 ml!") == fingerprint("holds 450 ML")


def rows(folder: Path, acts: list[list[str]], licence: str = "Apache-2.0") -> None:
    folder.mkdir(parents=True)
    (folder / "SOURCE.txt").write_text(f"licence: {licence}\n", encoding="utf-8")
    (folder / "laptop-train.json").write_text(json.dumps(acts), encoding="utf-8")


def test_a_corpus_is_built_and_what_was_dropped_is_counted(tmp_path: Path) -> None:
    acts = [
        [f"inform(name=tecra {number};type=laptop;weight=2 kg;colour=slate grey and dark teal)", text, ""]
        for number, text in enumerate(
            [
                "the tecra 0 laptop is slate grey .",
                "the tecra 1 is a laptop in slate grey .",
                "the tecra 2 laptop is the best .",
                "the tecra 3 laptop has 4 ports .",
                "the tecra 4 laptop comes with free shipping .",
                "the tecra 5 laptop smells of elephants .",
                "slate grey and dark teal .",
                "the tecra 7 is a laptop . slate grey .",
            ]
        )
    ]
    rows(tmp_path / "rnnlg-laptop-tv", acts)
    rows(tmp_path / "viggo", [], licence="CC BY-SA 4.0")
    corpus = build_corpus(tmp_path, held_out=0.3)
    texts = {pair.text for pair in (*corpus.training, *corpus.held_out)}
    assert texts == {"The {name} laptop is slate grey.", "The {name} is a laptop in slate grey."}
    assert corpus.leaked == 0
    used, refused = corpus.reports
    assert refused.dropped == {"licence": 1}
    dropped = {reason: count for reason, count in used.dropped.items() if count}
    assert dropped == {
        "line: guard, superlative": 1,
        "line: a number without a slot": 1,
        "sentence: about the shop": 1,
        "line: not grounded, invented": 1,
        "line: a point and no more": 1,
        "line: a sentence begins small": 1,
    }


def test_a_measured_text_that_training_has_nearly_is_a_leak() -> None:
    brief = Brief(
        sku="", kind="lamp", points=("brass arm",), channel=Channel.CARD, angle=Angle.INTRODUCE, anchor=None,
        promotion=Promotion.NONE, tone=Tone.PLAIN, branded=False, locale="en", variant="line-v2", model="",
    )  # fmt: skip
    learned = Pair(
        brief, "The {name} stands beside the bed all night and its brass arm turns to the page that you read."
    )
    other = Pair(brief, "A brass arm, and nothing else to look after.")
    near = Pair(msgspec.structs.replace(brief, kind="desk lamp"), learned.text.replace("read", "like"))
    assert leaked(Corpus([learned], [other], [], [])) == 0
    assert leaked(Corpus([learned], [other, near], [], [])) == 1


@pytest.mark.parametrize(
    ("plural", "one"),
    [("Watches", "watch"), ("Boxes", "box"), ("Bags", "bag"), ("Shorts", "shorts"), ("Dress", "dress")],
)
def test_a_category_is_the_plural_of_a_kind(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_a_folder_without_anything_to_learn_from_is_an_error(tmp_path: Path) -> None:
    rows(tmp_path / "viggo", [], licence="CC BY-SA 4.0")
    with pytest.raises(ConfigError, match="no set"):
        build_corpus(tmp_path)
