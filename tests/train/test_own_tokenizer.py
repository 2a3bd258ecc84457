"""The small models' tokenizer: a token for each slot, and an older one grows by those that it lacks."""

from shelftalk.core.typed_slots import TYPED_SLOTS
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.train.own_tokenizer import SLOTS, train_tokenizer, with_slots

TEXTS = ["A {kind} with a {w1}.", "{name}，{w1}，{price}。", "to go with the {anchor}"]


def without_typed() -> dict[str, object]:
    """As a tokenizer was before there were typed slots."""
    whole = train_tokenizer(TEXTS, 600)
    typed = {f"{{{slot}}}" for slot in TYPED_SLOTS}
    kept = sorted((number, token) for token, number in whole["model"]["vocab"].items() if token not in typed)
    ids = {token: number for number, (_, token) in enumerate(kept)}
    whole["model"]["vocab"] = ids
    whole["added_tokens"] = [
        token | {"id": ids[token["content"]]} for token in whole["added_tokens"] if token["content"] in ids
    ]
    return whole


def test_every_slot_is_one_token_that_decoding_keeps() -> None:
    tokenizer = make_tokenizer(train_tokenizer(TEXTS, 600))
    for slot in SLOTS:
        ids = tokenizer.encode(f"a {slot}.", add_special_tokens=False).ids
        assert tokenizer.token_to_id(slot) in ids
        assert tokenizer.decode(ids) == f"a {slot}."


def test_an_older_tokenizer_keeps_its_ids_and_gets_the_slots_that_it_lacks() -> None:
    before = without_typed()
    old, new = make_tokenizer(before), make_tokenizer(with_slots(before))
    assert new.get_vocab_size() == old.get_vocab_size() + len(TYPED_SLOTS)
    assert old.get_vocab().items() <= new.get_vocab().items()
    for text in TEXTS:
        assert old.encode(text).ids == new.encode(text).ids
    assert len(new.encode("{w_thing1}", add_special_tokens=False).ids) == 1


def test_a_tokenizer_of_today_stays_as_it_is() -> None:
    content = train_tokenizer(TEXTS, 600)
    assert with_slots(content)["model"]["vocab"] == content["model"]["vocab"]
