"""The only door through which text from outside becomes HTML: CommonMark with raw HTML off, then an allow list."""

from __future__ import annotations

import re

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

MAX_CHARACTERS = 200_000

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}

# Characters that make a text read otherwise than it is: bidirectional controls, zero-width ones, and the tag block
# in which instructions to a model can hide. The zero-width joiner stays, emoji are built with it.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")

# Images would let a foreign page see who reads it; an image's alternative text is shown instead.
_markdown = (
    MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False}).enable(["table", "strikethrough"]).disable("image")
)


def reveal(text: str) -> str:
    """`text` with its invisible and direction-changing characters written out, e.g. [U+202E]."""
    return _INVISIBLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def render(text: str) -> SafeString:
    """Markdown of unknown origin as HTML that can't run, load or restyle anything."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}\n\n… cut off after {MAX_CHARACTERS:,} characters"
    html = _markdown.render(reveal(text))
    clean = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="nofollow noopener noreferrer", strip_comments=True
    )
    return mark_safe(clean)  # noqa: S308  sanitized on the line above
