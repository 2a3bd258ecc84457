import pytest

from shelftalk.modelling.slots import slot_ids
from shelftalk.modelling.tiny import tiny_tokenizer_json
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.train.dataset import Pair, encode
from shelftalk.train.head import choose_head, unencodable, writable
from shelftalk.train.lines import brief_for
from tests.train.made import line, product


@pytest.mark.parametrize(
    "text", ["the", " kettle", " Kettle", "ing", " ", ".", ",", "?", "'s", " \u2014", "\u2019", ".\u201d", " I"]
)
def test_wording_is_kept(text: str) -> None:
    assert writable(text.replace(" ", "\u0120"), text)


@pytest.mark.parametrize(
    "text",
    [
        "7",
        " 20",
        "\u00a3",
        "$",
        "%",
        "{",
        " }",
        "\n",
        "#",
        "://",
        "caf\u00e9\u4e2d",
        "\ufffd",
        "getName",
        " HTML",
        "=",
        "--",
        "<",
    ],
)
def test_what_a_line_may_not_contain_is_left_out(text: str) -> None:
    assert not writable(text.replace(" ", "\u0120"), text)


def test_a_head_holds_every_line_all_slots_and_no_digit() -> None:
    tokenizer = make_tokenizer(tiny_tokenizer_json())
    made = line("{name} pours where you point it.")
    example = encode(tokenizer, Pair(brief_for(product(), made, branded=True), made.text))
    ids = choose_head(tokenizer, [example])
    assert unencodable([example], ids) == []
    assert set(slot_ids().values()) <= set(ids.tolist())
    assert (ids[1:] > ids[:-1]).all()
    written = "".join(tokenizer.decode([int(number)]) for number in ids if number not in slot_ids().values())
    assert not any(character.isdigit() for character in written)


def test_a_line_outside_the_head_is_found() -> None:
    tokenizer = make_tokenizer(tiny_tokenizer_json())
    made = line("{name} pours where you point it.")
    example = encode(tokenizer, Pair(brief_for(product(), made, branded=True), made.text))
    ids = choose_head(tokenizer, [example])
    assert unencodable([example._replace(target=[400, *example.target])], ids[ids != 400]) == [0]
