"""Typed slots: each slot of a brief has a name that says what it is, and every text finds its way back."""

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.prompt import prompt_for, slots_of, spelled_for, text_of
from shelftalk.core.remarks import remarks_for
from shelftalk.core.render import slots_in
from shelftalk.core.typed_slots import TYPED_SLOTS, typed, with_types, without_types
from shelftalk.core.word_slots import offered_slots, put_words
from tests.core.making import brief

POINTS = (
    "brass arm",
    "side pockets",
    "40 lumens",
    "folds flat",
    "waxed cotton",
    "folding base",
    "可折叠",
    "暖光",
    "holds 2 cups",
)


def test_a_slot_is_called_after_what_stands_in_it() -> None:
    made = brief(kind="socks", points=("brass arm", "side pockets", "folding base", "40 lumens"), anchor="kettle")
    assert typed(made) == {
        "name": "name_many", "kind": "kind_many", "anchor": "anchor_one",
        "w1": "w_thing1", "w2": "w_plural1", "w3": "w_thing2", "p1": "p_measure1",
    }  # fmt: skip


def test_what_has_no_class_keeps_its_name() -> None:
    made = brief(kind="台灯", points=("可折叠",), anchor=None, locale="zh")
    assert typed(made) == {"w1": "w_does1"}


@given(
    st.lists(st.sampled_from(POINTS), unique=True, max_size=5),
    st.sampled_from(["desk lamp", "socks", "compost", "light set", "台灯"]),
)
def test_every_text_finds_its_way_back(points: list[str], kind: str) -> None:
    made = brief(kind=kind, points=tuple(points), variant="slots-v5")
    names = typed(made)
    assert len(set(names.values())) == len(names)
    assert set(names.values()) <= set(TYPED_SLOTS)
    text = ", ".join(f"{{{slot}}}" for slot in offered_slots(made))
    spelled = with_types(made, text)
    assert slots_in(spelled) == set(slots_of(made))
    assert without_types(made, spelled) == text
    assert text_of(made, spelled_for(made, text)) == put_words(made, text)


def test_a_slot_that_a_brief_does_not_have_stays_for_the_guard_to_find() -> None:
    made = brief(kind="socks", points=("brass arm",), variant="slots-v5")
    assert "{w_plural1}" in text_of(made, "With {w_plural1}.")


def test_a_prompt_holds_no_word_of_the_shop() -> None:
    made = brief(kind="desk lamp", points=("brass arm", "40 lumens"), variant="slots-v5")
    prompt = prompt_for(made)
    assert "{w_thing1}" in prompt
    assert "{p_measure1}" in prompt
    assert not [word for word in ("desk", "lamp", "brass", "40") if word in prompt]


def test_the_fine_tuned_model_spells_all_words_but_a_remark() -> None:
    made = brief(kind="kettle", points=("900 ml", "steel"), variant="line-v2")
    assert {"use", "kind", "w1"} & {*slots_of(made)} == {"use"}
    assert "{use}" in prompt_for(made)
    said = f"A kettle, {{p1}}. {remarks_for(made).use.capitalize()}."
    assert spelled_for(made, "A {kind}, {p1}. {use}.") == "A kettle, {p1}. {use}."
    assert spelled_for(made, said) == "A kettle, {p1}. {use}."
    assert text_of(made, "A kettle, {p1}. {use}.").lower() == said.lower()


def test_a_point_that_a_remark_tells_is_not_in_a_prompt() -> None:
    made = brief(kind="kettle", points=("auto shut-off", "900 ml"), variant="line-v2")
    assert remarks_for(made).point == "auto shut-off"
    assert "auto shut-off" not in prompt_for(made)
    assert "{p1} = 900 ml" in prompt_for(made)
