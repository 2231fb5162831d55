"""A text to copy, and the model that it is about."""

from __future__ import annotations

from dataclasses import dataclass

KEY_VARIABLE = "CUSTOMHOUSE_KEY"
SDKS, CURL, TOOLS = "SDKs", "curl", "Coding tools"


@dataclass(frozen=True, slots=True)
class Snippet:
    """`slug` names the tab, `group` gathers tabs, `language` is for highlighting, `note` says where the text goes."""

    slug: str
    title: str
    group: str
    language: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its callers meet it. `wires` are the wire dialects that its deployments speak, `translates` says whether the
    others are translated; `purpose` is chat, embeddings or realtime."""

    root: str
    model: str
    wires: frozenset[str]
    translates: bool = True
    purpose: str = "chat"

    def takes(self, wire: str) -> bool:
        return self.translates or wire in self.wires
