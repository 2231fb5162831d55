"""Text that does not look like what it says: invisible, bidirectional and tag characters.

Sources: Unicode's Default_Ignorable and Bidi_Control sets, CVE-2021-42574 ("Trojan Source"), and the tag block
U+E0000 to U+E007F, in which instructions to models travel unseen. Emoji need ZWJ and variation selectors, and some
scripts need joiners, so those count only where nothing that they could belong to stands before them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_ALWAYS = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufff9-\ufffb\uffa0"
    "\ufeff\ue000-\uf8ff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f]")
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1780-\u17ff]")
"""Arabic, Indic and Khmer scripts, in which joiners are part of the spelling (RFC 5892, CONTEXTJ)."""
_EMOJI_BASE = re.compile("[\u00a9\u00ae\u203c-\u3299\ufe0f#*0-9\U0001f000-\U0001faff]")


def find(text: str) -> Iterator[tuple[int, str]]:
    """Position and character of everything hidden in `text`, in order."""
    for position, char in enumerate(text):
        if char.isascii() and (char.isprintable() or char in "\n\t\r"):
            continue
        if _ALWAYS.match(char) or (_JOINERS.match(char) and not _joins(text, position)):
            yield position, char


def _joins(text: str, position: int) -> bool:
    before = text[position - 1] if position else ""
    return bool(_EMOJI_BASE.match(before) or (_JOINING.match(before) and text[position] in "\u200c\u200d"))


def is_clean(text: str) -> bool:
    return next(find(text), None) is None


def name_of(char: str) -> str:
    """`U+200B ZERO WIDTH SPACE`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, 'unnamed')}"


def reveal(text: str) -> str:
    """`text` with every hidden character written out as ⟦U+200B⟧, for the eyes of a reviewer."""
    found = list(find(text))
    if not found:
        return text
    pieces: list[str] = []
    last = 0
    for position, char in found:
        pieces += (text[last:position], f"⟦U+{ord(char):04X}⟧")
        last = position + 1
    return "".join((*pieces, text[last:]))
