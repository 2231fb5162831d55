"""Reading the house's own pages in tests."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """Tags with their attributes, and the text between them. `unsafe()` names what could run or load something."""

    OWN_SCRIPTS = ("/static/",)

    def __init__(self, response: Any) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def links(self, prefix: str = "") -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a" and (attrs.get("href") or "").startswith(prefix)]

    def unsafe(self) -> list[str]:
        """Elements and attributes that no text from outside may bring about. Empty on a safe page."""
        found = []
        for tag, attrs in self.tags:
            source = attrs.get("src") or ""
            if tag == "script" and not source.startswith(self.OWN_SCRIPTS):
                found.append(f"<script src={source!r}>")
            if tag in {"iframe", "object", "embed", "base", "math", "style", "template", "foreignobject"}:
                found.append(f"<{tag}>")
            if tag == "img" and not source.startswith("/static/"):
                found.append(f"<img src={source!r}>")
            for name, value in attrs.items():
                if name.startswith("on") or name in {"srcdoc", "style", "formaction"}:
                    found.append(f"{name}={value!r}")
                if name in {"href", "src", "action", "xlink:href"} and (value or "").strip().lower().startswith(
                    ("javascript:", "data:", "vbscript:")
                ):
                    found.append(f"{name}={value!r}")
        return found
