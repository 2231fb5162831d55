"""What a reviewer of a server's version is shown."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from registry.choices import Risk
from registry.models import ServerVersion
from registry.review.difference import Part, bounded, compare, readable
from registry.review.findings import Finding, finding, text_findings, tool_findings


def difference(proposed: ServerVersion, live: ServerVersion | None) -> list[Part]:
    before, after = _about(live) if live else {}, _about(proposed)
    old, new = _tools(live) if live else {}, _tools(proposed)
    return bounded([*compare("server", before, after), *compare("tool", old, new)])


def _about(version: ServerVersion) -> dict[str, str]:
    about = {"address and identity": readable({"url": version.url, "serverInfo": version.identity, "capabilities": version.capabilities})}
    if version.instructions:
        about["instructions"] = version.instructions
    return about


def _tools(version: ServerVersion) -> dict[str, str]:
    return {tool.name: readable(tool.parsed) for tool in version.definitions.all()}


def findings(proposed: ServerVersion, live: ServerVersion | None) -> Iterator[Finding]:
    yield from text_findings("instructions", proposed.instructions, before=live.instructions if live else None)
    for problem in proposed.problems:
        yield finding(Risk.WARNING, "left-out", "server", problem)
    if live is not None:
        yield from _identity(proposed, live)
    old = {tool.name: tool for tool in live.definitions.all()} if live else {}
    seen: set[str] = set()
    for tool in proposed.definitions.all():
        seen.add(tool.name)
        known = old.get(tool.name)
        if known is None or known.digest != tool.digest:
            yield from tool_findings(tool.name, tool.parsed, known.parsed if known else None)
    for name in sorted(old.keys() - seen):
        yield finding(Risk.WARNING, "tool-gone", f"tool {name}", "Is gone: whoever calls it will be refused.")


def _identity(proposed: ServerVersion, live: ServerVersion) -> Iterator[Finding]:
    old, new = urlsplit(live.url), urlsplit(proposed.url)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        yield finding(Risk.DANGER, "other-host", "server", f"Moves from {old.netloc} to {new.netloc}.")
    elif live.url != proposed.url:
        yield finding(Risk.WARNING, "other-address", "server", f"Moves from {live.url} to {proposed.url}.")
    if live.identity.get("name") != proposed.identity.get("name"):
        yield finding(Risk.DANGER, "other-identity", "server", f"Now calls itself {proposed.identity.get('name')!r}.")
    if live.instructions != proposed.instructions:
        yield finding(Risk.WARNING, "instructions-changed", "instructions", "Tells models something else about how to use it.")
