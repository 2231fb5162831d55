"""The ledger as the database holds it: append-only by trigger, and on PostgreSQL partitioned by month.

Django knows `id` as the primary key; of a partitioned table it has to hold the partition key too. A usage event has one
`at` for ever, so (id, at) refuses the same duplicates.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

TABLE = "usage_ledgerentry"

PARTITIONED = f"""
ALTER TABLE {TABLE} RENAME TO {TABLE}_plain;
CREATE TABLE {TABLE} (LIKE {TABLE}_plain INCLUDING DEFAULTS) PARTITION BY RANGE (at);
CREATE TABLE {TABLE}_rest PARTITION OF {TABLE} DEFAULT;
INSERT INTO {TABLE} SELECT * FROM {TABLE}_plain;
DROP TABLE {TABLE}_plain;
ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_pkey PRIMARY KEY (id, at);
CREATE FUNCTION usage_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger is append-only: a correction is an entry of its own.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION usage_ledger_is_append_only();
"""

PLAIN = f"""
DROP TRIGGER {TABLE}_append_only ON {TABLE};
DROP FUNCTION usage_ledger_is_append_only();
CREATE TABLE {TABLE}_plain (LIKE {TABLE} INCLUDING DEFAULTS);
INSERT INTO {TABLE}_plain SELECT * FROM {TABLE};
DROP TABLE {TABLE};
ALTER TABLE {TABLE}_plain RENAME TO {TABLE};
ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_pkey PRIMARY KEY (id);
"""

# SQLite: no trigger on DELETE, which is how a whole table is emptied there; the model refuses it.
SQLITE = f"""
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE ON {TABLE} BEGIN
    SELECT RAISE(ABORT, 'The ledger is append-only: a correction is an entry of its own.');
END
"""


def forwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(SQLITE)
        return
    _rebuild(apps, schema_editor, PARTITIONED)


def backwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TRIGGER {TABLE}_append_only")
        return
    _rebuild(apps, schema_editor, PLAIN)


def _rebuild(apps: Any, schema_editor: Any, statements: str) -> None:
    """Indexes go with their table and get the same names again, so that later migrations find them."""
    entry = apps.get_model("usage", "LedgerEntry")
    schema_editor.execute(statements, params=None)
    for index in entry._meta.indexes:
        schema_editor.add_index(entry, index)


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]

    operations = [migrations.RunPython(forwards, backwards)]
