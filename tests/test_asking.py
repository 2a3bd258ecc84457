"""What the worker asks of a generator, with the real small model where it is about what comes back."""

import contextlib

import msgspec
import pytest

from shelftalk.asking import drafts_for, request_for
from shelftalk.core.brief import Brief
from shelftalk.core.render import SLOT
from shelftalk.engine import open_writer
from shelftalk.engine.characters import Script, foreign
from shelftalk.evaluate.text.generate import example_brief
from shelftalk.modelling.build import ensure_small_model

ENGLISH = example_brief()
CHINESE = msgspec.structs.replace(ENGLISH, locale="zh", kind="保温杯", points=("真空双层", "USB 接口"))


@pytest.mark.parametrize(
    ("brief", "script"),
    [
        (ENGLISH, Script.LATIN),
        (CHINESE, Script.HAN),  # "USB" comes by a slot
        (msgspec.structs.replace(CHINESE, variant="line-v2"), None),  # ... unless the model spells it itself
        (msgspec.structs.replace(CHINESE, variant="line-v2", points=("真空双层",)), Script.HAN),
        (msgspec.structs.replace(ENGLISH, variant="line-v2", kind="饺子 press"), None),
        (msgspec.structs.replace(ENGLISH, locale="ru"), None),
    ],
)
def test_a_text_keeps_to_its_script_unless_its_own_words_are_of_another(brief: Brief, script: Script | None) -> None:
    assert request_for(brief, "key").script is script


def test_drafts_share_all_but_key_and_draws_and_tries_draw_anew() -> None:
    requests = [request for attempt in range(3) for request in drafts_for(ENGLISH, f"k{attempt}", attempt=attempt)]
    assert len({request.seed for request in requests}) == len({request.key for request in requests}) == 9
    one, two, three = requests[:3]
    assert one.prompt == two.prompt == three.prompt
    assert [request.seed for request in drafts_for(ENGLISH, "again")] == [one.seed, two.seed, three.seed]
    assert len(drafts_for(msgspec.structs.replace(ENGLISH, variant="line-v2"), "key")) == 1
    assert len(drafts_for(ENGLISH, "key", count=5)) == 5


@pytest.mark.parametrize(("brief", "script"), [(ENGLISH, Script.LATIN), (CHINESE, Script.HAN)])
def test_at_whatever_heat_the_small_model_writes_one_language(brief: Brief, script: Script) -> None:
    with contextlib.closing(open_writer(ensure_small_model(lambda *_: None))) as writer:
        asked = drafts_for(brief, "hot", count=32, temperature=3.0, top_p=1.0)
        texts = [future.result().text for future in [writer.submit(request) for request in asked]]
    for text in texts:
        assert not foreign(SLOT.sub("", text), script), text
