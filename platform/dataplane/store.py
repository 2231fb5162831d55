"""The snapshot as the data plane reads it: indexed, swapped atomically, with the last good copy on disk.

A `Snapshot` is immutable to its readers: applying sections makes a new one that shares every shard that did not
change, and one assignment makes it current. Readers take `store.current` once per call and keep it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from dataplane.snapshot import (
    SCHEMA,
    AgentRecord,
    BudgetRecord,
    BudgetSection,
    GrantSection,
    KeyRecord,
    KeySection,
    LlmSection,
    McpSection,
    Section,
    TeamRecord,
    TeamSection,
    decode_body,
    grant_shard,
)

T = TypeVar("T")
NO_KEYS: dict[bytes, KeyRecord] = {}
NO_GRANTS: dict[str, tuple[str, ...]] = {}
EMPTY_LLM = LlmSection()


class Snapshot:
    """One consistent view. `version` is the highest section version in it; `loaded_at` is Unix time in seconds."""

    __slots__ = ("_allowed", "_views", "agents", "budgets", "grants", "keys", "llm", "loaded_at", "mcp", "teams", "version")

    def __init__(self) -> None:
        self.version = 0
        self.loaded_at = 0.0
        self.keys: list[dict[bytes, KeyRecord]] = [NO_KEYS] * 256
        self.teams: dict[int, TeamRecord] = {}
        self.grants: dict[str, dict[str, tuple[str, ...]]] = {}
        self.budgets: tuple[BudgetRecord, ...] = ()
        self.llm = EMPTY_LLM
        self.mcp: dict[str, McpSection] = {}
        self.agents: dict[str, AgentRecord] = {}
        self._allowed: dict[tuple[str, int | None], frozenset[str]] = {}
        self._views: dict[int, tuple[object, object]] = {}

    def successor(self) -> Snapshot:
        """A shallow copy to apply changes to. Views of unchanged sections go along, resolved grants do not."""
        new = Snapshot()
        new.version, new.budgets, new.llm = self.version, self.budgets, self.llm
        new.keys, new.teams = list(self.keys), self.teams
        new.grants, new.mcp, new.agents = dict(self.grants), dict(self.mcp), dict(self.agents)
        new._views = dict(self._views)
        return new

    def key(self, digest: bytes) -> KeyRecord | None:
        return self.keys[digest[0]].get(digest)

    def allowed(self, key: KeyRecord) -> frozenset[str]:
        """Every resource granted to the key's principal, to its team or to one of the team's ancestors."""
        who = (key.principal.ref, key.principal.team)
        found = self._allowed.get(who)
        if found is None:
            found = self._allowed[who] = frozenset(self._resolve(*who))
        return found

    def _resolve(self, ref: str, team: int | None) -> Iterable[str]:
        subjects = [ref]
        record = self.teams.get(team) if team is not None else None
        if record is not None:
            subjects += [f"team:{ancestor}" for ancestor in record.path]
        for subject in subjects:
            yield from self.grants.get(grant_shard(subject), NO_GRANTS).get(subject, ())

    def view(self, section: object, build: Callable[[object], T]) -> T:
        """What `build` derives from a section, made once per section object: indexes live as long as their source."""
        held = self._views.get(id(section))
        if held is not None and held[0] is section:
            return cast(T, held[1])
        derived = build(section)
        self._views[id(section)] = (section, derived)
        return derived

    def drop_stale_views(self) -> None:
        alive = {id(self.llm), *(id(record) for record in self.mcp.values()), *(id(record) for record in self.agents.values())}
        self._views = {key: held for key, held in self._views.items() if key in alive}


def _set_keys(snapshot: Snapshot, name: str, body: object) -> None:
    section = cast(KeySection, body)
    snapshot.keys[int(name.partition(":")[2], 16)] = {record.digest: record for record in section.keys}


def _set_teams(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.teams = {record.id: record for record in cast(TeamSection, body).teams}


def _set_grants(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.grants[name] = cast(GrantSection, body).grants


def _set_budgets(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.budgets = cast(BudgetSection, body).budgets


def _set_llm(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.llm = cast(LlmSection, body)


def _set_mcp(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.mcp[name.partition(":")[2]] = cast(McpSection, body)


def _set_agent(snapshot: Snapshot, name: str, body: object) -> None:
    snapshot.agents[name.partition(":")[2]] = cast(AgentRecord, body)


def _remove(snapshot: Snapshot, name: str) -> None:
    prefix, _, rest = name.partition(":")
    if prefix == "keys":
        snapshot.keys[int(rest, 16)] = NO_KEYS
    elif prefix == "grants":
        snapshot.grants.pop(name, None)
    elif prefix == "mcp":
        snapshot.mcp.pop(rest, None)
    elif prefix == "a2a":
        snapshot.agents.pop(rest, None)
    elif prefix == "teams":
        snapshot.teams = {}
    elif prefix == "budgets":
        snapshot.budgets = ()
    elif prefix == "llm":
        snapshot.llm = EMPTY_LLM


_SETTERS: dict[str, Callable[[Snapshot, str, object], None]] = {
    "keys": _set_keys,
    "teams": _set_teams,
    "grants": _set_grants,
    "budgets": _set_budgets,
    "llm": _set_llm,
    "mcp": _set_mcp,
    "a2a": _set_agent,
}


class Store:
    """Owns the current snapshot and its copy on disk. `apply` may be called from any thread; one at a time wins."""

    def __init__(self, *, path: Path | None = None) -> None:
        self.current = Snapshot()
        self.ready = False
        self._path = path
        self._sections: dict[str, Section] = {}
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._lock = threading.Lock()
        self._saved_version = 0

    def listen(self, listener: Callable[[Snapshot], None]) -> None:
        """Called with each new snapshot, in the thread that applied it."""
        self._listeners.append(listener)

    def apply(self, sections: Iterable[Section]) -> int:
        """Takes newer sections in, swaps once, and returns how many were taken. A section of another schema or with a
        body that can't be read is left as it was: the last good one keeps serving."""
        with self._lock:
            snapshot, taken = self.current.successor(), 0
            for section in sections:
                held = self._sections.get(section.name)
                if section.schema != SCHEMA or (held is not None and held.version >= section.version):
                    continue
                if self._take(snapshot, section):
                    self._sections[section.name] = section
                    taken += 1
            if taken:
                snapshot.version = max(section.version for section in self._sections.values())
                snapshot.loaded_at = time.time()
                snapshot.drop_stale_views()
                self.current = snapshot
            self.ready = True
        if taken:
            for listener in self._listeners:
                listener(snapshot)
        return taken

    @staticmethod
    def _take(snapshot: Snapshot, section: Section) -> bool:
        try:
            if not section.body:
                _remove(snapshot, section.name)
                return True
            body = decode_body(section.name, section.body)
            _SETTERS[section.name.partition(":")[0]](snapshot, section.name, body)
        except (KeyError, ValueError, msgspec.MsgspecError):
            return False
        return True

    def keep_only(self, names: Iterable[str], *, version: int) -> int:
        """Takes away what a source does not know of, which speaks for `version`: what is held of that version or a newer one
        stays. Returns how many sections went."""
        unknown = self._sections.keys() - set(names)
        return self.apply([Section(name=name, version=version, body=b"") for name in sorted(unknown) if self._sections[name].body])

    @property
    def count(self) -> int:
        """How many sections are held, those that are gone included."""
        return len(self._sections)

    def versions(self) -> dict[str, int]:
        """Version held of each section, to ask a source for what is newer."""
        return {name: section.version for name, section in self._sections.items()}

    def save(self) -> bool:
        """Writes the last good copy if it is newer than the one on disk; a rename makes it whole or not at all."""
        if self._path is None:
            return False
        with self._lock:
            version = self.current.version
            if version == self._saved_version:
                return False
            data = msgspec.msgpack.encode(list(self._sections.values()))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        self._saved_version = version
        return True

    def load(self) -> bool:
        """Takes the copy on disk. False when there is none or it can't be read: then nothing is served yet."""
        if self._path is None:
            return False
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            sections = msgspec.msgpack.decode(self._path.read_bytes(), type=list[Section])
            if self.apply(sections):
                self._saved_version = self.current.version
                return True
        return False
