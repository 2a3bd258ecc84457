"""What a shop calls a product, made fit to be printed: names, brands and kinds are untrusted text from whoever may list products.

Names and brands never reach the model. They are printed as given, but for what is no part of a name: what cannot be seen, markup,
slots, links, prices. The shop's own spelling stays, whatever the script.
"""

import re
import unicodedata

#: A longer name is no name, and would push the words off the card.
MAX_NAME, MAX_BRAND, MAX_KIND = 120, 60, 40
MAX_KIND_WORDS = 5

_SPACE = re.compile(r"\s+")

#: What looks alike and means nothing to a template, a browser or a chat format.
_SIGNS = str.maketrans("{}<>", "()\u2039\u203a")

#: The ends of addresses that chat programs and mail readers make links of.
_TLD = (
    r"(?:com|net|org|info|biz|shop|store|online|site|xyz|top|club|app|dev|io|ly|me|co|cn|ru|uk|de|fr|es|it|nl|pl|eu|us|in|jp|kr|"
    r"br|tv|cc|link|click|live|icu|vip|example|test|onion)"
)
_LINK = re.compile(
    r"\b[a-z][a-z0-9+.-]*:/{1,3}\S*|\b(?:javascript|data|mailto|tel|vbscript):\S*|\bwww\.\S*|\S+@\S+|(?<!\w)[@#](?!\d)\w+"
    rf"|\b(?:[\w-]+\.)+{_TLD}\b(?:[/:?]\S*)?|\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b\S*",
    re.IGNORECASE,
)

_CURRENCY = (
    r"(?:\bUS\$|[$£€¥₹₽₩₺₴₫฿￥￡]|\b(?:usd|gbp|eur|cny|rmb|jpy|inr|chf|quid|dollars?|euros?|pence|yuan|rupees?|roubles?|rubles?)\b"
    r"|元|块钱|円|원)"
)
#: A price in a name is wrong as soon as the price moves; so is a saving.
_AMOUNT = re.compile(
    rf"(?:\b(?:only|just|now|from|nur|solo|seulement|for)\s+)?{_CURRENCY}\s?\d[\d.,]*|\d[\d.,]*\s?{_CURRENCY}"
    r"|-?\d+\s?%\s?(?:off|discount|rabatt|descuento|de réduction|sconto|korting|折)|-\d+\s?%|\d+(?:\.\d+)?\s?折",
    re.IGNORECASE,
)

_ENTITY = re.compile(r"&(?:#\w+|[a-z]+\d*);", re.IGNORECASE)

#: A noun: words of letters, hyphens and apostrophes between them.
_NOUN = re.compile(r"[^\W\d_]+(?:[ '’/&-]{1,3}[^\W\d_]+)*")  # noqa: RUF001  a typographic apostrophe is meant


def clean_label(text: str, longest: int) -> str:
    """A name or brand as it may be printed; empty where nothing of it is left."""
    cleaned = _tidied("".join(char for char in text.translate(_SIGNS) if not is_unseen(char)))
    if len(cleaned) > longest:
        # Once more: a long word that is cut may end as an address does.
        cleaned = _tidied(cleaned[:longest].rsplit(" ", 1)[0].rstrip(" .,;:/-("))
    return cleaned if any(char.isalnum() for char in cleaned) else ""


def _tidied(text: str) -> str:
    """One blank between words, and nothing foreign, until nothing changes: what one leaves may be another ("#e#e", "1  $")."""
    while (rest := _without_foreign(_SPACE.sub(" ", text).strip())) != text:
        text = rest
    return text


def _without_foreign(text: str) -> str:
    """Without markup's entities, links and amounts. Each that is taken out leaves the text shorter."""
    for foreign in (_ENTITY, _LINK, _AMOUNT):
        if foreign.search(text):
            text = foreign.sub(" ", text).strip(" .,;:/-")
    return text


def clean_noun(text: str) -> str:
    """A product's kind, which a prompt may hold and a sentence may use: a few words of one script, or nothing."""
    noun = _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip(" .,;:")
    fits = len(noun) <= MAX_KIND and _NOUN.fullmatch(noun) and len(noun.split()) <= MAX_KIND_WORDS
    return noun if fits and is_one_script(noun) else ""


def is_path(category: str) -> bool:
    """Whether a category is a path of names, whose last may serve as a noun, and not an address or markup."""
    return not (_LINK.search(category) or any(sign in category for sign in "<{|@#=\n"))


def is_unseen(char: str) -> bool:
    """Controls, bidirectional and zero-width signs, tags, variation selectors, private use; blanks are seen."""
    category = unicodedata.category(char)
    return (
        (category[0] == "C" and not char.isspace())
        or category in {"Me", "Zl", "Zp"}
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or char in "\u115f\u1160\u3164\uffa0\u2800"  # letters and a pattern that look like nothing
    )


def is_one_script(text: str) -> bool:
    """Whether the letters are of one script, Han and Latin together being at home in Chinese: no Cyrillic A in "Apple"."""
    scripts = {_script(char) for char in text if char.isalpha()}
    return len(scripts) <= 1 or scripts <= {"LATIN", "CJK"}


def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split()[0]
