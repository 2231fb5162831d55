"""The full-text index beside registry_searchdocument, see registry.catalog.fulltext."""

from __future__ import annotations

from typing import Any

from django.db import migrations

POSTGRESQL = (
    """CREATE TABLE registry_fulltext (
        document_id bigint PRIMARY KEY REFERENCES registry_searchdocument (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        words tsvector NOT NULL
    )""",
    "CREATE INDEX registry_fulltext_words ON registry_fulltext USING gin (words)",
)
SQLITE = ("CREATE VIRTUAL TABLE registry_fulltext USING fts5 (title, summary, body, tokenize = 'unicode61 remove_diacritics 2')",)


def create(apps: Any, schema_editor: Any) -> None:
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def drop(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("DROP TABLE registry_fulltext")


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunPython(create, drop)]
