"""Applies a file: all of it is checked, then all of it is done in one transaction, or nothing.

What differs from the database is done through the apps' actions, in the order in which things depend on each other;
what does not differ is not touched, so a second run changes nothing and leaves no audit row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import transaction

from config.applying.document import Document
from config.applying.kind import Kind, Run, differences
from config.applying.kinds import KINDS
from config.applying.problems import Problem, Refused
from config.applying.reading import Stated, read_entries
from config.applying.secrets import SecretMissing, resolve

REFUSALS = (ValidationError, PermissionDenied, ObjectDoesNotExist)


@dataclass(frozen=True, slots=True)
class Change:
    """`verb` is create, change or remove. `fields` maps what changes to (old, new); secrets show no value."""

    verb: str
    word: str
    name: str
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """One entry on its way: what is stored of it, and what is asked for."""

    kind: Kind[Any]
    stated: Stated
    name: str
    entry: Any
    before: Any | None
    changed: dict[str, tuple[Any, Any]]


def apply_text(text: str, *, run: Run) -> list[Change]:
    """What was changed, or with `run.dry` what would be. Raises Refused; then nothing was changed."""
    document = Document(text)
    sections = read_entries(document)
    stated = _expanded(document, sections, run)
    stored = {kind.section: kind.stored() for kind in KINDS}
    problems = [
        *_repeated(document, stated),
        *_dangling(document, stated, stored),
        *_unsettled(document, stated, stored, run),
        *_secrets(document, stated, run),
    ]
    if problems:
        raise Refused(problems)
    _prepare(document, stated, stored, run)
    with transaction.atomic():
        changes = _write(document, stated, run)
        if run.prune:
            changes += _prune(document, sections, stated, run)
        if run.dry:
            transaction.set_rollback(True)
    return changes


def _expanded(document: Document, sections: dict[str, list[Stated]], run: Run) -> dict[str, list[Stated]]:
    problems: list[Problem] = []
    stated: dict[str, list[Stated]] = {kind.section: [] for kind in KINDS}
    for kind in KINDS:
        for entry in sections.get(kind.section, ()):
            try:
                stated[kind.section] += kind.expand(entry, run)
            except REFUSALS as error:
                problems += told(document, entry, error)
    if problems:
        raise Refused(problems)
    return stated


def _repeated(document: Document, stated: dict[str, list[Stated]]) -> Iterable[Problem]:
    for kind in KINDS:
        seen: dict[str, Stated] = {}
        for one in stated[kind.section]:
            name = kind.name_of(one.entry)
            if name in seen:
                yield document.problem(one.path, f"{name} is there twice, first at line {document.line(seen[name].path)}; expected it once")
            seen[name] = one


def _dangling(document: Document, stated: dict[str, list[Stated]], stored: dict[str, dict[str, Any]]) -> Iterable[Problem]:
    known = {kind.section: {*stored[kind.section], *(kind.name_of(one.entry) for one in stated[kind.section])} for kind in KINDS}
    for kind in KINDS:
        for one in stated[kind.section]:
            for reference in kind.references(one.entry):
                if not any(reference.name in known[section] for section in reference.sections):
                    wanted = " or ".join(reference.sections).replace("_", " ")
                    yield document.problem((*one.path, *reference.place), f"expected one of the {wanted}; there is no {reference.name}")


def _unsettled(document: Document, stated: dict[str, list[Stated]], stored: dict[str, dict[str, Any]], run: Run) -> Iterable[Problem]:
    for kind in KINDS:
        for one in stated[kind.section]:
            try:
                kind.settled(one.entry, stored[kind.section].get(kind.name_of(one.entry)), run)
            except REFUSALS as error:
                yield from told(document, one, error)


def _secrets(document: Document, stated: dict[str, list[Stated]], run: Run) -> Iterable[Problem]:
    for kind in KINDS:
        for one in stated[kind.section]:
            for name in kind.secret_fields:
                text = getattr(one.entry, name)
                if text is not None:
                    try:
                        run.secrets[kind.section, kind.name_of(one.entry), name] = resolve(text, base=run.base)
                    except SecretMissing as error:
                        yield document.problem((*one.path, name), str(error))


def _steps(kind: Kind[Any], stated: Sequence[Stated], stored: dict[str, Any], run: Run) -> Iterable[Step]:
    for one in stated:
        name = kind.name_of(one.entry)
        before = stored.get(name)
        entry = kind.settled(one.entry, before, run)
        changed = {} if before is None else differences(before, entry, without=kind.secret_fields)
        if before is not None:
            for secret in kind.secret_fields:
                text = run.secrets.get((kind.section, name, secret))
                if text is not None and not kind.secret_matches(entry, secret, text):
                    changed[secret] = ("(stored)", "(another)")
        yield Step(kind, one, name, entry, before, changed)


def _prepare(document: Document, stated: dict[str, list[Stated]], stored: dict[str, dict[str, Any]], run: Run) -> None:
    problems: list[Problem] = []
    for kind in KINDS:
        for step in _steps(kind, stated[kind.section], stored[kind.section], run):
            if step.before is None or step.changed:
                try:
                    kind.prepare(step.entry, step.before, run)
                except REFUSALS as error:
                    problems += told(document, step.stated, error)
    if problems:
        raise Refused(problems)


def _write(document: Document, stated: dict[str, list[Stated]], run: Run) -> list[Change]:
    changes: list[Change] = []
    problems: list[Problem] = []
    for kind in KINDS:
        for step in _steps(kind, stated[kind.section], kind.stored(), run):
            try:
                with transaction.atomic():
                    changes += _do(step, run)
            except REFUSALS as error:
                problems += told(document, step.stated, error)
        problems += _left_to_do(document, kind, stated[kind.section], run)
    if problems:
        raise Refused(problems)
    return changes


def _left_to_do(document: Document, kind: Kind[Any], stated: Sequence[Stated], run: Run) -> Iterable[Problem]:
    places = {kind.name_of(one.entry): one for one in stated}
    for name, act in run.after:
        try:
            with transaction.atomic():
                act()
        except REFUSALS as error:
            yield from told(document, places[name], error)
    run.after.clear()


def _do(step: Step, run: Run) -> list[Change]:
    if step.before is None:
        step.kind.create(step.entry, run)
        return [Change("create", step.kind.word, step.name)]
    if not step.changed:
        return []
    step.kind.update(step.entry, step.before, frozenset(step.changed), run)
    return [Change("change", step.kind.word, step.name, step.changed)]


def _prune(document: Document, sections: dict[str, list[Stated]], stated: dict[str, list[Stated]], run: Run) -> list[Change]:
    """Removes what the sections of the file do not name, dependents first. A section that the file does not have stays."""
    changes: list[Change] = []
    problems: list[Problem] = []
    for kind in reversed(KINDS):
        if kind.section not in sections:
            continue
        named = {kind.name_of(one.entry) for one in stated[kind.section]}
        gone = {name: before for name, before in reversed(kind.stored().items()) if name not in named}
        kind.release(list(gone), run)
        for name, before in gone.items():
            try:
                with transaction.atomic():
                    kind.remove(name, before, run)
            except REFUSALS as error:
                problems += [document.problem((kind.section,), f"can't remove {name}: {message}") for message in _messages(error)]
            changes.append(Change("remove", kind.word, name))
    if problems:
        raise Refused(problems)
    return changes


def told(document: Document, stated: Stated, error: Exception) -> list[Problem]:
    """An action's refusal at the line of the field that it names."""
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        fields = set(stated.entry.__struct_fields__)
        return [
            document.problem((*stated.path, name) if name in fields else stated.path, message if name in fields else f"{name}: {message}")
            for name, messages in error.message_dict.items()
            for message in messages
        ]
    return [document.problem(stated.path, message) for message in _messages(error)]


def _messages(error: Exception) -> list[str]:
    return error.messages if isinstance(error, ValidationError) else [str(error) or type(error).__name__]
