"""Capitals: how a shop's selling points are spelled inside an English sentence.

Feeds write "Dishwasher safe" and "british wool filling"; a card wants "it is dishwasher safe" and "with British wool filling". The
first letter of a line or sentence is raised where the words are put in (`word_slots`, `phrasebook`), never here.
"""

import re
from collections.abc import Sequence

#: Written with a capital wherever they stand. "Polish", "China" and "Turkey" are other things as well.
_CAPITALS = """
African American Asian Australian Austrian Belgian Brazilian British Canadian Chinese Colombian Danish Dutch Egyptian English
Ethiopian European Finnish French German Greek Icelandic Indian Irish Italian Japanese Kenyan Korean Mediterranean Mexican
Moroccan Nordic Norwegian Persian Peruvian Portuguese Russian Scandinavian Scottish Shetland Spanish Swedish Swiss Thai Turkish
Vietnamese Welsh Britain England France Germany Ireland Italy Japan Portugal Scotland Spain Sweden Switzerland Wales
Christmas Easter Monday Tuesday Wednesday Thursday Friday Saturday Sunday Bluetooth Wi-Fi USB USB-C HDMI GPS NFC LCD OLED UV
Velcro Cordura Lycra Tencel Gore-Tex Kevlar Teflon Pyrex Bakelite Pantone Braille Victorian Georgian Edwardian
"""
_PROPER = {word.lower(): word for word in _CAPITALS.split()}
_WORD = re.compile(r"(?<![\w-])[A-Za-z]+(?:-[A-Za-z]+)*(?![\w-])")
_CAPITALISED = re.compile(r"[A-Z][a-z]+(?:-[A-Za-z]?[a-z]+)*")


def inside_a_sentence(points: Sequence[str]) -> tuple[str, ...]:
    """The points with the capitals that they have in the middle of an English sentence; others are left as they are.

    Where every point begins with a capital, that is the shop's way to write a list and says nothing. A capital that not all have
    means something, and stays.
    """
    if not all(point.isascii() for point in points):
        return tuple(points)
    begins = [point[0] for point in points if point[:1].isalpha()]
    listed = len(begins) > 1 and all(letter.isupper() for letter in begins)
    return tuple(_spelled(point, listed=listed) for point in points)


def _spelled(point: str, *, listed: bool) -> str:
    words = _WORD.findall(point)
    titled = listed and len(words) > 1 and all(word[0].isupper() for word in words)

    def spelled(match: re.Match[str]) -> str:
        word = match[0]
        proper = _PROPER.get(word.lower())
        if proper is not None:
            return proper
        plain = titled or (listed and match.start() == 0)
        return word.lower() if plain and _CAPITALISED.fullmatch(word) else word

    return _WORD.sub(spelled, point)
