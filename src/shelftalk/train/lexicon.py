"""The generic words of our trade: what copywriters say about many kinds of products, whatever their facts.

``python -m shelftalk.train.lexicon`` writes ``core/grounding.en.json`` (stems) and ``core/grounding.zh.json`` (words) from the
hand-written lines, the phrasebook and the forms. A generated text may use these and the words of its own facts; any other word
would be an invention (see `shelftalk.core.grounding`). Needs the extra `corpus`, for Chinese has no spaces.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import orjson

from shelftalk.core.brief import Tone
from shelftalk.core.grounding import words_of
from shelftalk.core.kinds import domains
from shelftalk.core.phrasebook import ANY_TONE, read_book
from shelftalk.core.stems import stem
from shelftalk.train.keywords import words
from shelftalk.train.lines import load_products

#: Said of so many kinds of products, a word is generic.
MIN_KINDS = 10

#: Said often, and yet a scene, a person or a thing of its own: in the wrong place they make nonsense.
_CONCRETE = """
bag bed book box boy cat chair child coat dog door drawer eye feet finger floor foot friend garden hair hand
head hill house kitchen knee leg light lunch milk mug neck phone pocket rain roof shoulder sleeve sofa sun
table tea tongue tree wall water weather wind window wrist bread breakfast dinner coffee skin cup jacket shoe
boot sock train bus desk battery charge cable screen bath bike pan pot plate fridge neighbour guest mouth nose
ear face heel bottle cupboard counter stair cold warm heat dark wet dry ink film drink smell soft fresh quiet
flat natural wash sunday sleep seat smooth bright thick thin dries road pace
"""


#: Generic in a shop, though the lines may not say them often enough.
_ALWAYS = "page bought often together similar interest colour made price costs named details choose"


def _stems(text: str) -> set[str]:
    return {stem(word) for word in words_of(text)}


#: The same for Chinese, where a word is shorter than a stem and says more.
_MIN_KINDS_CHINESE = 12

#: Likewise scenes and things of their own.
_CONCRETE_CHINESE = """
一杯 一碗 孩子 桌子 盒子 杯子 垫子 袋子 抽屉 衣服 太阳 夏天 冬天 早上 晚上 几天 明天 屋里 车里 吃 喝 洗 睡 穿 旧 软 凉
"""

_PLACE = re.compile(r"\[\w+\]|\{\w+(?::[a-z|]+)?\}")


def _phrases(language: str, domain: str = "") -> Iterator[str]:
    """The lines of the phrasebook, those for one domain or those for all kinds."""
    for angles in (read_book(language) or {}).values():
        for promotions in angles.values():
            for tones in promotions.values():
                for name, lines in tones.items():
                    if name == domain or (not domain and name in {ANY_TONE, *Tone}):
                        yield from lines


def _forms(language: str) -> Iterator[str]:
    """Every text in ``forms.json``, however deep."""
    todo = [orjson.loads((resources.files("shelftalk.train") / "forms.json").read_bytes())[language]]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        else:
            todo += one.values() if isinstance(one, dict) else one


def generic_stems() -> list[str]:
    """Stems of the generic words, sorted."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for product in load_products():
        for line in product.lines:
            facts = " ".join((product.kind, line.anchor or "", *product.points))
            known = _stems(facts)
            for word in words_of(line.text):
                if stem(word) not in known:
                    kinds[stem(word)].add(product.kind)
    generic = {word for word, of in kinds.items() if len(of) >= MIN_KINDS}
    for text in (*_phrases("en"), *_forms("en")):
        generic |= _stems(_PLACE.sub(" ", text))
    return sorted((generic - _stems(_CONCRETE)) | _stems(_ALWAYS))


def chinese_words() -> dict[str, list[str]]:
    """The generic words of Chinese, sorted: of the phrasebook and the forms, and of lines about many kinds of products.

    Under the name of a domain stand what its lines in the phrasebook say beside.
    """
    generic = {word for text in (*_phrases("zh"), *_forms("zh")) for word in words(_PLACE.sub("，", text))}
    kinds: dict[str, set[str]] = defaultdict(set)
    for product in load_products(language="zh"):
        for line in product.lines:
            facts = "".join((product.kind, line.anchor or "", *product.points))
            for word in words(_PLACE.sub("，", line.text)):
                if word not in facts:
                    kinds[word].add(product.kind)
    of_lines = {word for word, of in kinds.items() if len(of) >= _MIN_KINDS_CHINESE}
    generic |= of_lines - set(_CONCRETE_CHINESE.split())
    own = {
        domain: {word for text in _phrases("zh", domain) for word in words(_PLACE.sub("，", text))} - generic
        for domain in sorted(domains())
    }
    return {"": sorted(generic)} | {domain: sorted(of_domain) for domain, of_domain in own.items()}


def main() -> None:
    """Write the lists."""
    folder = Path(str(resources.files("shelftalk.core")))
    for language, listed in (("en", generic_stems()), ("zh", chinese_words())):
        (folder / f"grounding.{language}.json").write_bytes(orjson.dumps(listed, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
