"""Plurals: a category is named for all that is in it, a product is one of them: of "smartphones" a smartphone."""

import re

#: Nouns that one product of the category has as well: it is a pair, or sold by the handful.
_PAIRS = """
airpods beans binoculars blinds blocks boots boxers bras bricks briefs capsules cards chinos clogs clothes crisps curtains diapers
dumbbells dumplings dungarees earbuds earphones espadrilles eyeglasses flats flip-flops glasses gloves goggles headphones heels
jeans joggers knickers leggings loafers mittens moccasins nappies noodles nuts overalls oxfords pants pliers plimsolls pods pyjamas
sandals scales scissors seeds shoes shorts skates skis slippers sneakers socks stockings sunglasses tights tissues trainers treats
trousers tweezers vitamins weights wellingtons wipes
"""
_MANY = frozenset(_PAIRS.split())
#: Endings of nouns that are no plurals: "dress", "bus", "chassis".
_NO_PLURAL = re.compile(r"(?:ss|us|is|[^aeiou]os|gas|lens|canvas|series|atlas)$")
#: These take "es": "watches", "potatoes".
_LONG = re.compile(r"(?:ch|sh|ss|x|zz|o)es$")


def one_of(noun: str) -> str:
    """One of what a plain English plural names; other nouns as they are.

    Args:
        noun: lower case, of one word or several; the last is its head.
    """
    before, blank, head = noun.rpartition(" ")
    if not head.isascii() or not head.endswith("s") or head in _MANY or _NO_PLURAL.search(head):
        return noun
    if head.endswith("ies") and len(head) > 4:  # noqa: PLR2004 - "pies" are not "py"
        one = head[:-3] + "y"
    elif _LONG.search(head):
        one = head[:-2]
    else:
        one = head[:-1]
    return f"{before}{blank}{one}"
