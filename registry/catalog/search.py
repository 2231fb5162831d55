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
IN_ONE_LIST = 1_000
"""Keys that are put into one query; with more of them the table is read through instead."""
TOOLS_NAMED = 3
"""Matching tools that a server's line in the results names."""

_MODELS = {Kind.SERVER: Server, Kind.TOOLSET: Toolset, Kind.AGENT: Agent, Kind.SKILL: Skill}
_KIND_ORDER: dict[str, int] = {Kind.MODEL: 0, Kind.SERVER: 1, Kind.TOOLSET: 2, Kind.AGENT: 3, Kind.SKILL: 4}


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
    found.sort(key=lambda hit: (-hit.score, _KIND_ORDER.get(hit.kind, 9), hit.title.casefold(), hit.name))
    chosen = _fitting(found, question)
    pages = max(1, -(-len(chosen) // PAGE))
    page = min(max(1, question.page), pages)
    return Answer(
        hits=chosen[(page - 1) * PAGE : page * PAGE],
        total=len(chosen),
        pages=pages,
        page=page,
        facets={facet: _counted(found, question, facet) for facet in FACETS},
        granted=sum(hit.granted for hit in _fitting(found, question, without="granted")),
    )


def _fitting(found: list[Hit], question: Question, *, without: str = "") -> list[Hit]:
    """Those that fit every facet but the one named `without`."""
    wanted = [(facet, values) for facet in FACETS if facet != without and (values := getattr(question, facet))]
    granted = question.granted and without != "granted"
    if not wanted and not granted:
        return found
    return [hit for hit in found if (hit.granted or not granted) and all(getattr(hit, facet) in values for facet, values in wanted)]


def _counted(found: list[Hit], question: Question, facet: str) -> list[tuple[str, int]]:
    counts = Counter(getattr(hit, facet) for hit in _fitting(found, question, without=facet))
    for wanted in getattr(question, facet):
        counts.setdefault(wanted, 0)
    if facet == "kind":
        return sorted(counts.items(), key=lambda item: _KIND_ORDER.get(item[0], 9))
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
    visible = visible_documents(user, held)
    ranks = fulltext.matches(text)
    best = max(ranks.values(), default=0.0) if ranks else 0.0
    usable = {kind: held.keys(model) for kind, model in _MODELS.items()}
    usable[Kind.SERVER] |= set(Tool.objects.filter(pk__in=held.keys(Tool)).values_list("server", flat=True))
    servers: dict[int, Hit] = {}
    tools: dict[int, list[tuple[float, str]]] = {}
    asked = " ".join(fulltext.words(text))
    for pk, kind, object_id, parent, name, title, summary, state, team in _rows(visible, ranks):
        score = _score(ranks[pk], best, asked, title, name) if ranks else 0.0
        if kind == Kind.TOOL:
            tools.setdefault(parent or 0, []).append((score, title))
            continue
        hit = Hit(kind, name, title, summary, state, team or "", object_id in usable.get(kind, ()), score)
        if kind == Kind.SERVER:
            servers[object_id] = hit
        else:
            yield hit
    yield from _servers(servers, tools, visible=visible, usable=usable[Kind.SERVER])


_COLUMNS = ("pk", "kind", "object_id", "parent_id", "name", "title", "summary", "state", "team__name")


def _rows(visible: QuerySet[SearchDocument], ranks: dict[int, float] | None) -> Iterator[tuple[Any, ...]]:
    """Plain tuples: a catalog of ten thousand is gone through at every look at it."""
    if ranks is None:
        yield from visible.exclude(kind=Kind.TOOL).values_list(*_COLUMNS)
    elif len(ranks) <= IN_ONE_LIST:
        yield from visible.filter(pk__in=ranks).values_list(*_COLUMNS)
    else:
        yield from (row for row in visible.values_list(*_COLUMNS) if row[0] in ranks)


def _servers(
    servers: dict[int, Hit], tools: dict[int, list[tuple[float, str]]], *, visible: QuerySet[SearchDocument], usable: set[int]
) -> Iterator[Hit]:
    """Servers that match by themselves or by one of their tools, which are then named."""
    missing = tools.keys() - servers.keys()
    wanted = visible.filter(kind=Kind.SERVER, object_id__in=missing) if missing else visible.none()
    for _, kind, pk, _, name, title, summary, state, team in wanted.values_list(*_COLUMNS):
        servers[pk] = Hit(kind, name, title, summary, state, team or "", pk in usable)
    for pk, hit in servers.items():
        matching = sorted(tools.get(pk, ()), key=lambda item: (-item[0], item[1]))
        score = max(hit.score, 0.8 * matching[0][0]) if matching else hit.score
        yield replace(hit, score=score, tools=tuple(title for _, title in matching[:TOOLS_NAMED])) if matching else hit


def _score(rank: float, best: float, asked: str, title: str, name: str) -> float:
    """The index's rank, 0 to 1, and above it those whose name is what was asked for, or begins with it."""
    share = rank / best if best > 0 else 0.0
    first = asked.partition(" ")[0]
    if first not in title.casefold() and first not in name.casefold():
        return share
    names = {" ".join(fulltext.words(title)), " ".join(fulltext.words(name))}
    return share + (2.0 if asked in names else 1.0 if any(known.startswith(asked) for known in names) else 0.0)


def _foreign(user: Any, held: Held, text: str) -> Iterator[Hit]:
    """Entries of the apps above. Few enough to be looked through one by one."""
    terms = fulltext.words(text)
    asked = " ".join(terms)
    for source in sources():
        for entry in source(user):
            body = f"{entry.description} {entry.words}"
            found = fulltext.score(text, title=f"{entry.title} {entry.name}", summary=entry.summary, body=body)
            if terms and not found:
                continue
            score = _score(found, 10.0 * len(terms), asked, entry.title, entry.name) if terms else 0.0
            yield Hit(entry.kind, entry.name, entry.title, entry.summary, entry.state, entry.team, held.reaches(entry.target), score)
