"""Text from outside as HTML: it formats, and does nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adminkit.markup import MAX_CHARACTERS, render, reveal

TAGS = {f"h{level}" for level in range(1, 7)} | set(
    re.findall(r"\w+", "a blockquote br code del em hr li ol p pre s strong table tbody td th thead tr ul")
)
ATTRIBUTES = {"href", "title", "rel", "start"}


class Inspector(HTMLParser):
    """Everything that a browser would take for an element, checked against what is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.bad.append(tag)
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.bad.append(f"{tag} {name}")
            if (
                name == "href"
                and not (value or "").lower().startswith(("http://", "https://", "mailto:", "#", "/", "?", "."))
                and ":" in (value or "")
            ):
                self.bad.append(f"href {value}")

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.bad.append("comment")


def inspected(text: str) -> list[str]:
    inspector = Inspector()
    inspector.feed(render(text))
    inspector.close()
    return inspector.bad


def test_markdown_is_formatted() -> None:
    text = (
        "# Title\n\nSome *words*, `code` and [a link](https://example.com).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- two\n\n~~gone~~"
    )
    html = render(text)
    for piece in ("<h1>Title</h1>", "<em>words</em>", "<code>code</code>", "<td>1</td>", "<li>one</li>", "<s>gone</s>"):
        assert piece in html
    assert '<a href="https://example.com" rel="nofollow noopener noreferrer">a link</a>' in html


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "![x](https://example.com/track.gif)",
    "![x](javascript:alert(1))",
    '<https://example.com/" onmouseover=alert(1)>',
    '[x](<https://example.com/" onmouseover="alert(1)>)',
    "[x](https://example.com '\" onclick=\"alert(1)')",
    "`<script>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "<!-- <script>alert(1)</script> -->",
    "<style>*{display:none}</style>",
    "<form action=/admin/><input name=x></form>",
    "<base href=//evil>",
    '<math><mi xlink:href="javascript:alert(1)">',
    "<p style=position:fixed>x</p>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "| <img src=x onerror=alert(1)> |\n|---|\n| x |",
    "[ref]\n\n[ref]: javascript:alert(1)",
    "<details open ontoggle=alert(1)>",
    "\x00<script>alert(1)</script>",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_in_it_runs_loads_or_restyles(text: str) -> None:
    assert inspected(text) == []
    assert "<script" not in render(text).lower()
    assert "<img" not in render(text).lower()


@given(st.text(alphabet="<>/=\"'`[]()!#*_&;: \n\tabjsonerclipt", max_size=80))
def test_no_text_at_all_gives_an_element_that_is_not_allowed(text: str) -> None:
    assert inspected(text) == []


def test_characters_that_hide_or_turn_text_are_written_out() -> None:
    assert reveal("pay\u202etxt.exe") == "pay[U+202E]txt.exe"
    assert reveal("a\u200bb\u2066c\ufeff") == "a[U+200B]b[U+2066]c[U+FEFF]"
    assert reveal("".join(chr(0xE0000 + ord(letter)) for letter in "hi")) == "[U+E0068][U+E0069]"
    assert "[U+202E]" in render("pay\u202etxt.exe")
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
    assert reveal(f"héllo wörld {family}") == f"héllo wörld {family}"


def test_a_huge_text_is_cut_and_deep_nesting_is_survived() -> None:
    assert "cut off after" in render("x" * (MAX_CHARACTERS + 1))
    for text in (">" * 20_000, "[" * 20_000, "*" * 20_000, "- " * 5_000, "|" * 20_000, "![" * 10_000):
        assert inspected(text) == []
