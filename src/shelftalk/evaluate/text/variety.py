"""How varied texts are: among themselves, and beside other people's of the same products."""

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from shelftalk.evaluate.text.measures import tokens

#: Texts that self-BLEU compares with each other: it is quadratic.
_SELF_BLEU_TEXTS = 120

#: Draws of an order, or of one text a product, that a figure is the mean of.
_DRAWS = 20

#: Draws of a bootstrap, and the share of them outside its interval on each side.
_RESAMPLES, _TAIL = 2_000, 0.025


def variety(texts: Sequence[str], language: str) -> dict[str, float]:
    """Distinct-1 and -2 (Li et al. 2016), and self-BLEU (Zhu et al. 2018; lower is more varied), 0 to 1 and 0 to 100."""
    split = [tokens(text) for text in texts]
    figures = {f"distinct_{size}": _distinct(_grams(split, size)) for size in (1, 2)}
    some = list(texts[:: max(1, len(texts) // _SELF_BLEU_TEXTS)])
    figures["self_bleu"] = _self_bleu(some, language)
    figures["different_texts"] = len(set(texts)) / max(1, len(texts))
    return figures


def beside(
    texts_of: Mapping[str, Sequence[str]], products: Sequence[Hashable], language: str
) -> dict[str, dict[str, float]]:
    """The variety of several writers, made comparable.

    Distinct-n falls with every further word, so a writer of longer texts looks duller than they are: here all have as many
    pairs of words as the briefest of them. And a set of briefs has several for each product, whose name a card says and a
    person's line need not; on a shelf a product stands once. So ``shelf`` figures are of one text a product.

    Args:
        texts_of: each writer's texts for the same briefs, as a shopper reads them.
        products: what each brief is about.
        language: of the texts.

    Returns:
        For each writer ``distinct_2_same_length``, ``distinct_2_shelf`` and ``self_bleu_shelf``.
    """
    split = {writer: [tokens(text) for text in texts] for writer, texts in texts_of.items()}
    rng = random.Random(7)
    orders = [rng.sample(range(len(products)), len(products)) for _ in range(_DRAWS)]
    shelves = _shelves(products, rng)
    figures: dict[str, dict[str, float]] = {writer: {} for writer in texts_of}
    for name, draws in (("same_length", orders), ("shelf", shelves)):
        for writer, value in _matched(split, draws).items():
            figures[writer][f"distinct_2_{name}"] = value
    for writer, texts in texts_of.items():
        scores = [_self_bleu([texts[place] for place in shelf], language) for shelf in shelves]
        figures[writer]["self_bleu_shelf"] = sum(scores) / len(scores)
    return figures


def more_alike(
    texts: Sequence[str], people: Sequence[str], products: Sequence[Hashable], families: Sequence[Hashable]
) -> dict[str, float]:
    """How much more alike a writer's texts are than people's, each product once: by self-BLEU, with a 95 % interval.

    BLEU of a sentence is smoothed, so brief texts look alike: people's, cut to four fifths, gain a point. Here
    both texts for a brief have as many words as the shorter one. Two mugs are alike by being mugs, so what is drawn anew for the
    interval are families of products (a cluster bootstrap).

    Args:
        texts: as a shopper reads them.
        people: of the same briefs.
        products: what each brief is about.
        families: what each product is one of.

    Returns:
        ``self_bleu_over_people``, and the same with ``_low`` and ``_high``; below nothing is more varied.
    """
    lengths = [min(len(tokens(one)), len(tokens(other))) for one, other in zip(texts, people, strict=True)]
    cut = [
        [" ".join(tokens(text)[:most]) for text, most in zip(side, lengths, strict=True)] for side in (texts, people)
    ]
    rng = random.Random(7)
    over: dict[Hashable, list[float]] = defaultdict(list)  # by family
    for shelf in _shelves(products, rng):
        ours, theirs = (_sentence_bleus([side[place] for place in shelf], "none") for side in cut)
        for place, one, other in zip(shelf, ours, theirs, strict=True):
            over[families[place]].append(one - other)
    clusters = list(over.values())
    means = sorted(_mean([x for _ in clusters for x in rng.choice(clusters)]) for _ in range(_RESAMPLES))
    outside = int(_TAIL * _RESAMPLES)
    return {
        "self_bleu_over_people": _mean([x for cluster in clusters for x in cluster]),
        "self_bleu_over_people_low": means[outside],
        "self_bleu_over_people_high": means[-1 - outside],
    }


def _shelves(products: Sequence[Hashable], rng: random.Random) -> list[list[int]]:
    """Draws of one brief a product."""
    of_product: dict[Hashable, list[int]] = defaultdict(list)
    for place, product in enumerate(products):
        of_product[product].append(place)
    return [[rng.choice(places) for places in of_product.values()] for _ in range(_DRAWS)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _matched(split: Mapping[str, Sequence[Sequence[str]]], draws: Sequence[Sequence[int]]) -> dict[str, float]:
    """Mean distinct-2 of each writer over draws of texts, cut where the briefest writer's end."""
    totals = dict.fromkeys(split, 0.0)
    for draw in draws:
        grams = {writer: _grams([words[place] for place in draw], 2) for writer, words in split.items()}
        shortest = min(map(len, grams.values()))
        for writer, found in grams.items():
            totals[writer] += _distinct(found[:shortest])
    return {writer: total / max(1, len(draws)) for writer, total in totals.items()}


def _grams(split: Sequence[Sequence[str]], size: int) -> list[tuple[str, ...]]:
    return [gram for words in split for gram in zip(*(words[at:] for at in range(size)), strict=False)]


def _distinct(grams: Sequence[tuple[str, ...]]) -> float:
    return len(set(grams)) / max(1, len(grams))


def _self_bleu(texts: Sequence[str], language: str) -> float:
    return _mean(_sentence_bleus(texts, "zh" if language == "zh" else "13a"))


def _sentence_bleus(texts: Sequence[str], tokenize: str) -> list[float]:
    """BLEU of each text against all others."""
    import sacrebleu  # noqa: PLC0415  of the extra `evaluate`

    return [
        float(sacrebleu.sentence_bleu(text, [*texts[:at], *texts[at + 1 :]] or [""], tokenize=tokenize).score)
        for at, text in enumerate(texts)
    ]
