"""The kinds of entries, in the order in which they depend on each other."""

from __future__ import annotations

from typing import Any

from config.applying.kind import Kind
from config.applying.kinds.agents import Agents
from config.applying.kinds.grants import Grants
from config.applying.kinds.identity import Keys, ServiceAccounts, Teams
from config.applying.kinds.llm import Models, Providers
from config.applying.kinds.servers import Servers, Toolsets
from config.applying.kinds.skills import Skills

KINDS: tuple[Kind[Any], ...] = (
    Teams(),
    ServiceAccounts(),
    Providers(),
    Models(),
    Servers(),
    Toolsets(),
    Agents(),
    Skills(),
    Keys(),
    Grants(),
)
