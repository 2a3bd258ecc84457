"""What the small models learn from: skeletons of lines and of the phrasebook, written out with many products.

Products are split before anything else: a held-out product lends neither its lines nor its points nor its name to training.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from shelftalk.core.brief import LANGUAGES, Channel
from shelftalk.core.render import SLOT
from shelftalk.core.voices import voice_of
from shelftalk.train.dataset import Pair, split_by_product
from shelftalk.train.frames import without_strays
from shelftalk.train.keywords import words
from shelftalk.train.lines import Product, load_products
from shelftalk.train.skeletons import Goods, Skeleton, english_words, from_forms, from_lines, from_phrasebook, write_out

#: Said of so many kinds of Chinese products, a word is generic.
_MIN_KINDS = 10

#: How often each language, channel and source is drawn.
_LANGUAGE_SHARE = {"en": 0.55, "zh": 0.45}
_CHANNEL_SHARE = {Channel.CARD: 0.82, Channel.AD: 0.18}
#: Products that a skeleton is tried with: one that wants much finds few that have it.
_GOODS_TRIED = 24

#: By where a skeleton was written. The forms were written for the models; what is left of lines was written for their products.
_SOURCE_SHARE = {"lines": 0.08, "whole": 0.5, "joined": 0.2, "phrasebook": 0.22}

_SEED = 7
HELD_OUT = 0.08


class Material(NamedTuple):
    """Skeletons to write out, products to write them out with, and the products that nobody may learn from."""

    skeletons: tuple[Skeleton, ...]
    goods: Mapping[str, Sequence[Goods]]
    held_out: tuple[Product, ...]


def chinese_words(products: Sequence[Product]) -> Callable[[str], bool]:
    """`from_pair`'s test for Chinese: words of lines about many kinds of products, and of the phrasebook for all kinds."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for product in products:
        facts = "".join((product.kind, *product.points))
        for line in product.lines:
            for word in words(SLOT.sub("，", line.text)):
                if word not in facts and word not in (line.anchor or ""):
                    kinds[word].add(product.kind)
    generic = {word for word, of in kinds.items() if len(of) >= _MIN_KINDS}
    for skeleton in from_phrasebook("zh"):
        if skeleton.kind == "*":
            generic.update(words(SLOT.sub("，", skeleton.text)))
    return lambda text: all(word in generic for word in words(text))


def gather(extra: Iterable[tuple[str, Goods]] = (), languages: Sequence[str] = LANGUAGES) -> Material:
    """All there is to learn from.

    Args:
        extra: products of catalogues, with their language; they lend kinds and points, no words.
        languages: whose.
    """
    skeletons: list[Skeleton] = []
    goods: dict[str, list[Goods]] = {language: [] for language in languages}
    held_out: list[Product] = []
    for language in languages:
        training, measured = split_by_product(load_products(language=language), HELD_OUT, _SEED)
        known = english_words(training) if language == "en" else chinese_words(training)
        others = [*from_phrasebook(language), *(form for form in from_forms() if form.language == language)]
        skeletons += without_strays(from_lines(training, known), others, language)
        skeletons += others
        # A line of its own counts once, however many lines its product has.
        goods[language] += [Goods(product.kind, product.points) for product in training]
        held_out += measured
    kept_out = {product.kind.casefold() for product in held_out}
    for language, one in extra:
        if one.kind.casefold() not in kept_out:
            goods[language].append(one)
    return Material(tuple(skeletons), goods, tuple(held_out))


def draw(material: Material, count: int, seed: str, languages: Sequence[str] = LANGUAGES) -> list[Pair]:
    """So many pairs, balanced over languages, channels, reasons, promotions and voices.

    A brief asks for any voice that its reason has, evenly (`core.voices`). So each is learned as often as another, however
    few skeletons it has: they are written out with more products. (Drawn by their number, the voices of one to three
    skeletons passed the review on 67 % of briefs, those of ten and more on 80 %.)
    """
    rng = random.Random(seed)
    among = _by_voice(material.skeletons)
    pairs: list[Pair] = []
    tries = 0
    while len(pairs) < count and tries < 40 * count:
        tries += 1
        language = rng.choices(languages, [_LANGUAGE_SHARE[one] for one in languages])[0]
        channel = rng.choices(list(_CHANNEL_SHARE), list(_CHANNEL_SHARE.values()))[0]
        heads = among.get((language, channel))
        if heads is None:
            continue
        # Between "every head alike" and "every voice alike": rare heads are learned, and their few voices not only.
        head = rng.choices(list(heads), [len(voices) ** 0.5 for voices in heads.values()])[0]
        sources = rng.choice(list(heads[head].values()))
        source = rng.choices(list(sources), [_SOURCE_SHARE[one] for one in sources])[0]
        skeleton = rng.choice(sources[source])._replace(channel=channel)
        for one in rng.sample(material.goods[language], min(_GOODS_TRIED, len(material.goods[language]))):
            pair = write_out(skeleton, one, _anchors(material, language, rng), rng)
            if pair is not None:
                pairs.append(pair)
                break
    return pairs


#: Skeletons by source, by voice, by angle and promotion.
_Heads = dict[tuple[str, str], dict[str, dict[str, list[Skeleton]]]]


def _by_voice(skeletons: Iterable[Skeleton]) -> dict[tuple[str, Channel], _Heads]:
    """The skeletons of each language and channel; what was written for cards may stand in ads too, whose voices are the same."""
    found: dict[tuple[str, Channel], _Heads] = {}
    for skeleton in skeletons:
        voice = voice_of(skeleton.text, skeleton.language)
        for channel in (Channel.CARD, Channel.AD) if skeleton.channel is Channel.CARD else (skeleton.channel,):
            heads = found.setdefault((skeleton.language, channel), {})
            voices = heads.setdefault((skeleton.angle, skeleton.promotion), {})
            voices.setdefault(voice, {}).setdefault(_source(skeleton), []).append(skeleton)
    return found


def _source(skeleton: Skeleton) -> str:
    name = skeleton.source.partition(".")[0]
    return name if name in _SOURCE_SHARE else "lines"


def _anchors(material: Material, language: str, rng: random.Random) -> list[str]:
    among = material.goods[language]
    return [rng.choice(among).kind for _ in range(6)]


def held_out_pairs(material: Material, count: int) -> list[Pair]:
    """Pairs of held-out products with training's skeletons: what the loss is measured on while training."""
    goods = {
        language: [Goods(p.kind, p.points) for p in material.held_out if p.language == language]
        for language in LANGUAGES
    }
    return draw(Material(material.skeletons, goods, ()), count, "held out")


def survey(material: Material) -> dict[str, int]:
    """Counts, for cards and logs."""
    counts = Counter(f"{s.language} {_source(s)}" for s in material.skeletons)
    goods = {f"{language} products": len(material.goods[language]) for language in LANGUAGES}
    return {**dict(counts), **goods, "held-out products": len(material.held_out)}
