"""Searching the catalog: what one person may see, narrowed by words and facets, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q, QuerySet

from registry.catalog import fulltext
from registry.catalog.entry import sources
from registry.catalog.grants import Held
from registry.choices import Kind
from registry.models import Agent, SearchDocument, Server, Skill, Tool, Toolset

PAGE = 24
FACETS = ("kind", "team", "state")
TOOLS_NAMED = 3
"""Matching tools that a server's line in the results names."""

_MODELS = {Kind.SERVER: Server, Kind.TOOLSET: Toolset, Kind.AGENT: Agent, Kind.SKILL: Skill}
_KIND_ORDER = {Kind.MODEL: 0, Kind.SERVER: 1, Kind.TOOLSET: 2, Kind.AGENT: 3, Kind.SKILL: 4}


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the results. `granted` says that the person may use it (of a server: at least one tool)."""

    kind: str
    name: str
    title: str
    summary: str
    state: str
    team: str
    granted: bool
    score: float = 0.0
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. Facets are sets of which any may match; an empty one does not narrow."""

    text: str = ""
    kind: frozenset[str] = frozenset()
    team: frozenset[str] = frozenset()
    state: frozenset[str] = frozenset()
    granted: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`facets` count, for every facet, what each of its values would give with the other facets as they are."""

    hits: list[Hit]
    total: int
    pages: int
    page: int
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    granted: int = 0


def search(user: Any, question: Question) -> Answer:
    held = Held(user)
    found = [*_documents(user, held, question.text), *_foreign(user, held, question.text)]
    found.sort(key=lambda hit: (-hit.score, _KIND_ORDER.get(Kind(hit.kind), 9), hit.title.casefold(), hit.name))
    chosen = [hit for hit in found if _fits(hit, question)]
    pages = max(1, -(-len(chosen) // PAGE))
    page = min(max(1, question.page), pages)
    return Answer(
        hits=chosen[(page - 1) * PAGE : page * PAGE],
        total=len(chosen),
        pages=pages,
        page=page,
        facets={facet: _counted(found, question, facet) for facet in FACETS},
        granted=sum(hit.granted for hit in found if _fits(hit, question, without="granted")),
    )


def _fits(hit: Hit, question: Question, *, without: str = "") -> bool:
    for facet in FACETS:
        wanted = getattr(question, facet)
        if facet != without and wanted and getattr(hit, facet) not in wanted:
            return False
    return without == "granted" or not question.granted or hit.granted


def _counted(found: list[Hit], question: Question, facet: str) -> list[tuple[str, int]]:
    counts = Counter(getattr(hit, facet) for hit in found if _fits(hit, question, without=facet))
    for wanted in getattr(question, facet):
        counts.setdefault(wanted, 0)
    if facet == "kind":
        return sorted(counts.items(), key=lambda item: _KIND_ORDER.get(Kind(item[0]), 9) if item[0] in Kind.values else 9)
    return sorted(((value, count) for value, count in counts.items() if value), key=lambda item: (-item[1], item[0]))


def visible_documents(user: Any, held: Held) -> QuerySet[SearchDocument]:
    """Documents of what this user may see: granted, owned, or discoverable and live."""
    if user.is_superuser:
        return SearchDocument.objects.all()
    condition = Q(visible=True) | Q(team_id__in=user.team_scope)
    for kind, model in _MODELS.items():
        if keys := held.keys(model):
            condition |= Q(kind=kind, object_id__in=keys)
    if servers := held.keys(Server):
        condition |= Q(kind=Kind.TOOL, parent_id__in=servers)
    if tools := held.keys(Tool):
        condition |= Q(kind=Kind.TOOL, object_id__in=tools)
        condition |= Q(kind=Kind.SERVER, object_id__in=Tool.objects.filter(pk__in=tools).values("server"))
    return SearchDocument.objects.filter(condition)


def _documents(user: Any, held: Held, text: str) -> Iterator[Hit]:
    """The registry's own. A tool that matches brings up its server."""
    documents = visible_documents(user, held)
    ranks = fulltext.matches(text)
    if ranks is None:
        documents = documents.exclude(kind=Kind.TOOL)
    else:
        documents = documents.filter(pk__in=ranks)
    best = max(ranks.values(), default=0.0) if ranks else 0.0
    usable = {kind: held.keys(model) for kind, model in _MODELS.items()}
    usable[Kind.SERVER] = usable[Kind.SERVER] | set(Tool.objects.filter(pk__in=held.keys(Tool)).values_list("server", flat=True))
    servers: dict[int, Hit] = {}
    tools: dict[int, list[tuple[float, str]]] = {}
    for row in documents.select_related("team").iterator(chunk_size=2000):
        score = _score(ranks[row.pk], best, text, row.title, row.name) if ranks else 0.0
        if row.kind == Kind.TOOL:
            tools.setdefault(row.parent_id or 0, []).append((score, row.title))
            continue
        granted = row.object_id in usable.get(Kind(row.kind), ())
        hit = Hit(row.kind, row.name, row.title, row.summary, row.state, row.team.name if row.team else "", granted, score)
        if row.kind == Kind.SERVER:
            servers[row.object_id] = hit
        else:
            yield hit
    yield from _servers(servers, tools, documents_of=visible_documents(user, held), usable=usable[Kind.SERVER])


def _servers(
    servers: dict[int, Hit], tools: dict[int, list[tuple[float, str]]], *, documents_of: QuerySet[SearchDocument], usable: set[int]
) -> Iterator[Hit]:
    """Servers that match by themselves or by one of their tools, which are then named."""
    missing = tools.keys() - servers.keys()
    for row in documents_of.filter(kind=Kind.SERVER, object_id__in=missing).select_related("team") if missing else ():
        team = row.team.name if row.team else ""
        servers[row.object_id] = Hit(row.kind, row.name, row.title, row.summary, row.state, team, row.object_id in usable)
    for pk, hit in servers.items():
        matching = sorted(tools.get(pk, ()), key=lambda item: (-item[0], item[1]))
        score = max(hit.score, 0.8 * matching[0][0]) if matching else hit.score
        yield replace(hit, score=score, tools=tuple(title for _, title in matching[:TOOLS_NAMED]))


def _score(rank: float, best: float, text: str, title: str, name: str) -> float:
    """The index's rank, 0 to 1, and above it those whose name is what was asked for, or begins with it."""
    asked = " ".join(fulltext.words(text))
    names = {" ".join(fulltext.words(title)), " ".join(fulltext.words(name))}
    exact = 2.0 if asked in names else 1.0 if any(known.startswith(asked) for known in names) else 0.0
    return exact + (rank / best if best > 0 else 0.0)


def _foreign(user: Any, held: Held, text: str) -> Iterator[Hit]:
    """Entries of the apps above. Few enough to be looked through one by one."""
    for source in sources():
        for entry in source(user):
            score = fulltext.score(
                text, title=f"{entry.title} {entry.name}", summary=entry.summary, body=f"{entry.description} {entry.words}"
            )
            if fulltext.words(text) and not score:
                continue
            rank = _score(score, 10.0 * max(1, len(fulltext.words(text))), text, entry.title, entry.name) if score else 0.0
            granted = held.reaches(entry.target)
            yield Hit(entry.kind, entry.name, entry.title, entry.summary, entry.state, entry.team, granted, rank)
