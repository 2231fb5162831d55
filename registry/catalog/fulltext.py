"""The full-text index beside SearchDocument: FTS5 on SQLite, a weighted tsvector with a GIN index on PostgreSQL.

Both get the same plain words, split by us, so that `get_forecast`, `gpt-4o-mini` and `io.github.acme/weather` are
found by their parts on either. The last word of a query also finds what begins with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

MAX_TERMS = 12
MAX_HITS = 50_000
"""Documents that a query may match before they are ranked and cut."""

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words(text: str) -> list[str]:
    """The words of a text, folded: case, accents and compatibility forms do not count, `getForecast` is two."""
    folded = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text)).casefold()
    return _WORD.findall("".join(char for char in folded if not unicodedata.combining(char)))


def _plain(text: str) -> str:
    return " ".join(words(text))


def store(texts: Mapping[int, tuple[str, str, str]], *, names: Mapping[int, str]) -> None:
    """Indexes title, summary and body of documents by primary key, replacing what was there. Names count as titles."""
    rows = [(pk, _plain(f"{title} {names[pk]}"), _plain(summary), _plain(body)) for pk, (title, summary, body) in texts.items()]
    if not rows:
        return
    drop(texts)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.executemany(
                "INSERT INTO registry_fulltext (document_id, words) VALUES (%s, setweight(to_tsvector('simple', %s), 'A')"
                " || setweight(to_tsvector('simple', %s), 'B') || setweight(to_tsvector('simple', %s), 'D'))",
                rows,
            )
        else:
            cursor.executemany("INSERT INTO registry_fulltext (rowid, title, summary, body) VALUES (%s, %s, %s, %s)", rows)


def drop(keys: Iterable[int]) -> None:
    key = "document_id" if connection.vendor == "postgresql" else "rowid"
    rows = [(pk,) for pk in keys]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(f"DELETE FROM registry_fulltext WHERE {key} = %s", rows)  # noqa: S608  (one of two literals)


def matches(query: str) -> dict[int, float] | None:
    """Documents that hold every word of `query`, by primary key, with a rank in which more is better.

    None when the query holds no word at all.
    """
    terms = words(query)[:MAX_TERMS]
    if not terms:
        return None
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            asked = " & ".join([*terms[:-1], f"{terms[-1]}:*"])
            cursor.execute(
                "SELECT document_id, ts_rank(words, query) AS rank FROM registry_fulltext, to_tsquery('simple', %s) query"
                " WHERE words @@ query ORDER BY rank DESC LIMIT %s",
                [asked, MAX_HITS],
            )
        else:
            asked = " ".join([*(f'"{term}"' for term in terms[:-1]), f'"{terms[-1]}"*'])
            cursor.execute(
                "SELECT rowid, -bm25(registry_fulltext, 10.0, 4.0, 1.0) AS rank FROM registry_fulltext"
                " WHERE registry_fulltext MATCH %s ORDER BY rank DESC LIMIT %s",
                [asked, MAX_HITS],
            )
        found: list[Any] = cursor.fetchall()
    return {pk: float(rank) for pk, rank in found}


def score(query: str, *, title: str, summary: str, body: str) -> float:
    """How well texts match that are not in the index (entries of other apps); 0 when a word of the query is missing."""
    terms = words(query)[:MAX_TERMS]
    fields = [(10.0, words(title)), (4.0, words(summary)), (1.0, words(body))]
    total = 0.0
    for position, term in enumerate(terms):
        last = position == len(terms) - 1
        gain = max(
            (weight for weight, found in fields if any(word.startswith(term) if last else word == term for word in found)), default=0.0
        )
        if not gain:
            return 0.0
        total += gain
    return total
