"""Words for made-up rows: plain ones and those that break careless programs."""

from __future__ import annotations

import random
from typing import Final

FIRST_NAMES: Final = (
    "Ada",
    "Bohumil",
    "Chiara",
    "Đặng",
    "Éloïse",
    "Farouk",
    "Grace",
    "Håkon",
    "Ines",
    "Jürgen",
    "李娜",
)
LAST_NAMES: Final = (
    "Lovelace",
    "Hrabal",
    "Rossi",
    "Thị",
    "Dubois",
    "Al-Masri",
    "Hopper",
    "Østby",
    "O'Neil",
    "王",
)
COMPANIES: Final = (
    "Bluth Company",
    "Wayne Enterprises",
    "Müller & Söhne GmbH",
    "株式会社アクメ",
    "שלום תעשיות",
    'Quote "Unquote" Ltd',
    "Back\\slash, Inc.",
    "Emoji 🚀 Labs",
)
SENTENCES: Final = (
    "Called back, asked for a quote.",
    "Will decide after the budget meeting.\nSecond line\twith a tab.",
    "Très intéressé — rappeler lundi 👍🏽",
    "مرحبا، نحتاج إلى عرض سعر",
    'They said "not now"; 100% sure.',
    "",
    "Line one\r\nLine two\u2028and a separator",
    "<b>bold</b> &amp; plain",
    "null",
    "A zero-width\u200bspace and a soft\u00adhyphen.",
)
PHONES: Final = ("+16503334444", "+4915112345678", "+390612345678", "+442071838750")


def person(rng: random.Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def email(rng: random.Random) -> str:
    return f"{rng.choice(('ada', 'bob', 'chiara', 'info', 'sales+close'))}{rng.randrange(1000)}@example.com"


def sentence(rng: random.Random) -> str:
    return rng.choice(SENTENCES)


def formatted(phone: str) -> str:
    return f"{phone[:2]} {phone[2:5]}-{phone[5:8]}-{phone[8:]}"
