"""Catalogue text made clean: no markup, no boilerplate, no personal data, nothing twice."""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator

_TAG = re.compile(r"<(?:br|/p|/li|/?ul|/?div)[^>]*>", re.IGNORECASE)
_MARKUP = re.compile(r"<[^>]+>")
_BULLET = re.compile(r"(?:^|\n)\s*[•·*\u2022-]\s*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])|(?<=[。！？])|\n+")

#: What a shop says about itself, not about the product.
_BOILERPLATE = re.compile(
    r"\b(?:free shipping|ships? (?:in|within|free)|deliver(?:y|ed)|returns?(?= policy|able)|refund|warranty|guarantee"
    r"|customer (?:service|care|support)|contact us|click|add to (?:cart|basket)|order now|buy (?:now|it)|visit (?:us|our)"
    r"|copyright|all rights reserved|terms and conditions|sold by|see (?:size|our) chart|www\.|https?:)"
    r"|包邮|退换|客服|发货|下单|点击|售后|正品保障|官方旗舰",
    re.IGNORECASE,
)
_PERSONAL = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.\w{2,}")),
    (
        "phone",
        re.compile(
            r"(?<!\d)(?:\+\d{1,3}[\s-]?)?(?:\(\d{2,4}\)[\s-]?)?\d{3,4}[\s-]\d{3,4}[\s-]?\d{2,4}(?!\d)"
            r"|(?<!\d)1[3-9]\d{9}(?!\d)"
        ),
    ),
    ("card number", re.compile(r"(?<!\d)(?:\d[ -]?){13,16}(?!\d)")),
    ("person", re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof)\.? [A-Z][a-z]+")),
    ("address", re.compile(r"\b\d{1,4} [A-Z][a-z]+ (?:Street|St|Road|Rd|Avenue|Ave|Lane)\b")),
    ("link", re.compile(r"https?://\S+|www\.\S+")),
)  # fmt: skip


def plain(text: str) -> str:
    """The text without markup, its blocks and bullets on lines of their own."""
    text = html.unescape(html.unescape(text))
    text = _MARKUP.sub(" ", _TAG.sub("\n", text))
    text = unicodedata.normalize("NFKC", _BULLET.sub("\n", text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def sentences(text: str) -> list[str]:
    """The sentences and bullet lines of a plain text."""
    return [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]


def is_boilerplate(sentence: str) -> bool:
    """Whether it speaks of the shop: delivery, returns, where to click."""
    return bool(_BOILERPLATE.search(sentence))


def personal_data(text: str) -> str | None:
    """What kind of personal data is in a text; None if there is none that can be told."""
    return next((what for what, rule in _PERSONAL if rule.search(text)), None)


def fingerprint(text: str) -> str:
    """What is the same for texts that differ only in case, blanks, digits and signs."""
    return re.sub(r"[\W\d_]+", " ", text.lower()).strip()


def near_duplicates(texts: Iterable[tuple[str, str]], threshold: float = 0.8) -> Iterator[tuple[str, str]]:
    """The keys of texts that are nearly one that came before, each with the key of that one.

    MinHash over shingles of three words (or three Chinese characters), Jaccard similarity from ``threshold``.
    """
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415 (of the extra `corpus`)

    index = MinHashLSH(threshold=threshold, num_perm=64)
    for key, text in texts:
        words = list(fingerprint(text)) if re.search(r"[\u4e00-\u9fff]", text) else fingerprint(text).split()
        shingles = {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))}
        sketch = MinHash(num_perm=64, seed=7)
        sketch.update_batch([shingle.encode() for shingle in shingles])
        like = index.query(sketch)
        if like:
            yield key, str(like[0])
        else:
            index.insert(key, sketch)
