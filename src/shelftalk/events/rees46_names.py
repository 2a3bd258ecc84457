"""Names for the products of a REES46 log, from the two words that it has for each: a brand and a category code."""

import re

#: What the log's words mean, where they are misspelt, Russian, plural or too short to stand alone. By the end of the code, longest
#: match first; all other codes read as they are ("appliances.environment.water_heater" is a water heater).
_KINDS = {
    "accessories.bag": "bag",
    "apparel.costume": "suit",
    "apparel.shoes.keds": "sneakers",
    "apparel.shoes.slipons": "slip-on shoes",
    "apparel.shoes.step_ins": "step-in shoes",
    "apparel.shoes.ballet_shoes": "ballet flats",
    "apparel.tshirt": "T-shirt",
    "apparel.sock": "socks",
    "apparel.glove": "gloves",
    "appliances.environment.vacuum": "vacuum cleaner",
    "appliances.kitchen.hob": "cooking hob",
    "appliances.kitchen.hood": "cooker hood",
    "appliances.kitchen.refrigerators": "refrigerator",
    "appliances.kitchen.toster": "toaster",
    "appliances.kitchen.washer": "washing machine",
    "appliances.kitchen.fryer": "fryer",
    "appliances.kitchen.mixer": "kitchen mixer",
    "appliances.personal.scales": "bathroom scales",
    "appliances.environment.air_heater": "heater",
    "appliances.kitchen.steam_cooker": "food steamer",
    "appliances.personal.hair_cutter": "hair clippers",
    "appliances.personal.massager": "massager",
    "appliances.steam_cleaner": "steam cleaner",
    "auto.accessories.alarm": "car alarm",
    "auto.accessories.anti_freeze": "antifreeze",
    "auto.accessories.compressor": "tyre compressor",
    "auto.accessories.light": "car light",
    "auto.accessories.parktronic": "parking sensor",
    "auto.accessories.player": "car stereo",
    "auto.accessories.radar": "radar detector",
    "auto.accessories.videoregister": "dash cam",
    "auto.accessories.winch": "winch",
    "computers.components.cooler": "computer cooler",
    "computers.components.cpu": "processor",
    "computers.components.hdd": "hard drive",
    "computers.components.memory": "memory module",
    "computers.components.motherboard": "motherboard",
    "computers.components.videocards": "graphics card",
    "computers.components.sound_card": "sound card",
    "computers.components.cdrw": "disc drive",
    "computers.desktop": "desktop computer",
    "computers.ebooks": "e-reader",
    "computers.notebook": "laptop",
    "computers.peripherals.camera": "webcam",
    "computers.peripherals.mouse": "computer mouse",
    "computers.peripherals.wifi_router": "Wi-Fi router",
    "construction.components.faucet": "tap",
    "construction.tools.light": "work light",
    "construction.tools.painting": "painting tool",
    "construction.tools.pump": "water pump",
    "construction.tools.welding": "welding machine",
    "country_yard.furniture.hammok": "hammock",
    "country_yard.cultivator": "cultivator",
    "electronics.audio.acoustic": "speaker",
    "electronics.audio.headphone": "headphones",
    "electronics.audio.dictaphone": "voice recorder",
    "electronics.camera.photo": "camera",
    "electronics.camera.video": "video camera",
    "electronics.clocks": "watch",
    "electronics.video.tv": "TV",
    "furniture.bathroom.bath": "bathtub",
    "furniture.universal.light": "lamp",
    "furniture.kitchen.chair": "kitchen chair",
    "furniture.kitchen.table": "kitchen table",
    "kids.carriage": "pushchair",
    "kids.dolls": "doll",
    "kids.fmcg.diapers": "nappies",
    "kids.toys": "toy",
    "kids.swing": "baby swing",
    "kids.skates": "skates",
    "medicine.tools.tonometer": "blood pressure monitor",
    "sport.ski": "skis",
    "sport.tennis": "tennis racket",
    "sport.trainer": "exercise machine",
    "stationery.cartrige": "ink cartridge",
    "stationery.paper": "paper",
    "stationery.battery": "battery",
}

#: Brands of four letters and more that are written in capitals.
_CAPITALS = frozenset({"asics", "asus", "dkny", "ikea", "lego", "nzxt", "oppo", "smeg"})

#: Brands that are spelled as no rule could tell.
_SPELLED = {
    "asrock": "ASRock",
    "babyliss": "BaByliss",
    "bfgoodrich": "BFGoodrich",
    "carters": "Carter\u2019s",
    "delonghi": "De\u2019Longhi",
    "dewalt": "DeWalt",
    "dxracer": "DXRacer",
    "gopro": "GoPro",
    "hyperx": "HyperX",
    "karcher": "Kärcher",
    "oneplus": "OnePlus",
    "powercolor": "PowerColor",
    "viewsonic": "ViewSonic",
}

_MAX_BRAND = 80
_INITIALS = 3


def kind_of(category_code: str) -> str | None:
    """The plain noun of a category code, such as ``"water heater"``; ``None`` if it has no letters."""
    parts = [part for part in re.split(r"[./>]+", category_code.strip().lower()) if part]
    for start in range(len(parts)):
        known = _KINDS.get(".".join(parts[start:]))
        if known is not None:
            return known
    noun = re.sub(r"[\s_\-]+", " ", parts[-1]).strip() if parts else ""
    return noun if any(sign.isalpha() for sign in noun) else None


def name_of(brand: str | None, kind: str | None) -> str | None:
    """``"Samsung smartphone"``, ``"Smartphone"``, ``"Samsung"``, or nothing."""
    if brand and kind:
        return f"{brand} {kind}"
    return brand or (kind[:1].upper() + kind[1:] if kind else None)


def spell_brand(brand: str) -> str:
    """A brand as it is written on the box, as well as can be told: the log has them in lower case.

    Up to three letters that cannot be spoken as a syllable are initials ("LG", "TCL", "MSI", but "Lux", "Fly"); longer ones are
    names, but for the few that are known better. Capitals that are there already are left alone.
    """
    brand = " ".join(brand.split())[:_MAX_BRAND]
    if brand != brand.lower():
        return brand
    if brand in _SPELLED:
        return _SPELLED[brand]
    pieces = re.split(r"([-\s.&/+]+)", brand)
    alone = len([piece for piece in pieces if piece.isalnum()]) == 1
    return "".join(_spell(piece, alone=alone) for piece in pieces)


def _spell(word: str, *, alone: bool) -> str:
    if word in _CAPITALS:
        return word.upper()
    if len(word) <= _INITIALS and word.isalpha() and not _is_syllable(word, alone=alone):
        return word.upper()
    return word[:1].upper() + word[1:]


def _is_syllable(word: str, *, alone: bool) -> bool:
    """Whether two or three letters read as a word: "lux", "fly", "eco", "uno", "leo"; within a longer name also "me"."""
    shape = "".join("v" if sign in "aeiou" or (sign == "y" and place) else "c" for place, sign in enumerate(word))
    return shape in {"cvc", "vcv", "cvv"} or (shape == "ccv" and word.endswith("y")) or (shape == "cv" and not alone)
