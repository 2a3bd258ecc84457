"""Figures of texts: beside references, and among themselves. Slots are filled with the same example values on both sides."""

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shelftalk.core.brief import Brief, point_slots
from shelftalk.core.guard_form import LENGTHS
from shelftalk.core.render import SLOT, fill, slots_in

_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|\d+|[\u4e00-\u9fff]")  # noqa: RUF001

#: What example names are made of, beside the kind: "Alder Kettle", "云山水壶".
_WORDS = (
    "Alder",
    "Bracken",
    "Cinder",
    "Ember",
    "Fathom",
    "Gorse",
    "Harrow",
    "Islet",
    "Juniper",
    "Lantern",
    "Nettle",
    "Otter",
    "Quarry",
    "Rowan",
    "Umber",
    "Zephyr",
)
_CHARACTERS = "云山松竹荷溪月石灯舟禾墨茶霜雪风林泉鹤苔陶麦枫桥"


def example_values(brief: Brief) -> dict[str, str]:
    """What each slot of a product's texts reads as: its own name, brand and prices, the same whoever wrote the text.

    One name and one price for all products would let every text that uses the slots repeat the others, as no page does.
    """
    draw = random.Random(f"{brief.kind}|{brief.points}")
    price = draw.randint(300, 19_900)
    off = draw.randint(5, 50)
    chinese = brief.language == "zh"
    name = "".join(draw.sample(_CHARACTERS, 2)) if chinese else draw.choice(_WORDS)
    sign = "¥" if chinese else "£"
    days = "星期一 星期二 星期五 星期日" if chinese else "Monday Tuesday Friday Sunday"
    return {
        "name": f"{name}{brief.kind}" if chinese else f"{name} {brief.kind.title()}".strip(),
        "brand": "".join(draw.sample(_CHARACTERS, 2)) if chinese else draw.choice(_WORDS),
        "price": f"{sign}{price / 100:.2f}",
        "was_price": f"{sign}{price / (100 - off):.2f}",
        "percent_off": f"{off}%",
        "ends_on": draw.choice(days.split()),
        "stock_left": str(draw.randint(2, 9)),
    } | point_slots(brief.points)


def shown(brief: Brief, text: str) -> str:
    """The text as a shopper reads it, with example values."""
    unknown = {slot: f"{{{slot}}}" for slot in slots_in(text)}
    return fill(text, unknown | example_values(brief))


def tokens(text: str) -> list[str]:
    """Words in lower case; Chinese by the character."""
    return [word.lower() for word in _WORD.findall(text)]


def overlap(texts: Sequence[str], references: Sequence[str], language: str) -> dict[str, float]:
    """BLEU, chrF and ROUGE with one reference a text, all 0 to 100."""
    import sacrebleu  # noqa: PLC0415  of the extra `evaluate`
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415

    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(kinds, use_stemmer=language == "en", tokenizer=_Characters() if language == "zh" else None)
    scores = [scorer.score(reference, text) for text, reference in zip(texts, references, strict=True)]
    tokenize = "zh" if language == "zh" else "13a"
    return {
        "bleu": sacrebleu.corpus_bleu(list(texts), [list(references)], tokenize=tokenize).score,
        "chrf": sacrebleu.corpus_chrf(list(texts), [list(references)]).score,
        **{kind: 100 * sum(score[kind].fmeasure for score in scores) / len(scores) for kind in kinds},
    }


def by_chance(texts: Mapping[str, Sequence[str]], baseline: str, references: Sequence[str]) -> dict[str, float]:
    """How probable it is that another's chrF differs as much from the baseline's by chance: sacrebleu's paired bootstrap.

    Args:
        texts: of everybody, for the same briefs in the same order.
        baseline: whose texts the others' are held against.
        references: people's.
    """
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415  of the extra `evaluate`
    from sacrebleu.significance import PairedTest  # noqa: PLC0415

    others = [name for name in texts if name != baseline]
    if not others or baseline not in texts:
        return {}
    systems = [(name, list(texts[name])) for name in (baseline, *others)]
    _, scores = PairedTest(systems, {"chrF": CHRF()}, [list(references)], test_type="bs")()
    [found] = (column for name, column in scores.items() if name != "System")
    return {name: float(score.p_value) for name, score in zip(others, found[1:], strict=True)}


class _Characters:
    """ROUGE's tokenizer for Chinese."""

    def tokenize(self, text: str) -> list[str]:
        """Words of Latin letters, and characters."""
        return tokens(text)


def form(briefs: Sequence[Brief], slotted: Sequence[str]) -> dict[str, float]:
    """Shares of texts: that repeat three words, that fit the channel's length; and the mean length in characters."""
    texts = [shown(brief, text) for brief, text in zip(briefs, slotted, strict=True)]
    repeats = [any(count > 1 for count in Counter(_grams(tokens(text), 3)).values()) for text in texts]
    return {
        "repetition": _share(repeats),
        "length_fit": _share(_fits(brief, text) for brief, text in zip(briefs, slotted, strict=True)),
        "characters": sum(map(len, texts)) / max(1, len(texts)),
    }


def coverage(briefs: Sequence[Brief], slotted: Sequence[str]) -> dict[str, float]:
    """Shares of texts that name one of the brief's points or a benefit of it, and that tell the promotion by its slots."""
    from shelftalk.core.brief import Promotion, point_slots  # noqa: PLC0415
    from shelftalk.core.remarks import remarks_for  # noqa: PLC0415

    tells = {
        Promotion.SALE: {"was_price", "percent_off"}, Promotion.ENDING_SOON: {"ends_on"}, Promotion.LOW_STOCK: {"stock_left"},
    }  # fmt: skip
    pointed, told = [], []
    for brief, text in zip(briefs, slotted, strict=True):
        used = set(SLOT.findall(text))
        if brief.points:
            numeric = point_slots(brief.points)
            said = " ".join(tokens(SLOT.sub(" ", text)))
            benefit = remarks_for(brief).benefit.casefold()
            pointed.append(
                bool(used & numeric.keys())
                or (bool(benefit) and benefit in text.casefold())
                or any(" ".join(tokens(p)) in said for p in brief.points if p not in numeric.values())
            )
        if brief.promotion in tells:
            told.append(bool(used & tells[brief.promotion]))
    return {"names_a_point": _share(pointed), "tells_the_promotion": _share(told)}


def _fits(brief: Brief, text: str) -> bool:
    shortest, longest = LENGTHS[brief.channel]
    length = len(SLOT.sub("x" * 10, text)) * (2 if brief.language == "zh" else 1)
    return shortest <= length <= longest


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[at:] for at in range(size)), strict=False))


def _share(values: Any) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
