"""What the house keeps with a pin, as JSON: what was checked of a batch's file, and who pays for a batch."""

from __future__ import annotations

import time

import msgspec

from dataplane.pins import Pin
from dataplane.snapshot import KeyRecord, PriceRecord, PrincipalRecord
from dataplane.store import Snapshot


class Priced(msgspec.Struct, omit_defaults=True):
    """A model of a batch, by the name that callers use, and what it cost when its lines were checked."""

    alias: str
    price: PriceRecord | None = None


class Checked(msgspec.Struct, omit_defaults=True):
    """A file whose every line may be called. `models` are by the provider's own names; `reserve` is the most that all of it
    can cost, in 1e-9 USD, None where a price is not known."""

    url: str
    lines: int
    reserve: int | None
    models: dict[str, Priced]


class Made(msgspec.Struct, omit_defaults=True):
    """A file that a batch has made."""

    batch: str


class FileNote(msgspec.Struct, omit_defaults=True):
    checked: Checked | None = None
    made: Made | None = None


class Order(msgspec.Struct, omit_defaults=True):
    """A batch under way: what it was ordered with, and whom its usage is told of. `wire` names how it is read, `at` is Unix
    time of the order."""

    wire: str
    request_id: str
    models: dict[str, Priced]
    key: int
    key_name: str
    principal: PrincipalRecord
    team_name: str = ""
    at: float = 0.0

    def key_record(self) -> KeyRecord:
        """Who pays, as the limits know it; the key itself may be gone by now."""
        return KeyRecord(id=self.key, name=self.key_name, prefix="", digest=b"", principal=self.principal)


_file = msgspec.json.Decoder(FileNote)
_order = msgspec.json.Decoder(Order)


def file_note(pin: Pin) -> FileNote:
    return _file.decode(pin.note) if pin.note else FileNote()


def order_of(pin: Pin) -> Order | None:
    return _order.decode(pin.note) if pin.note else None


def written(note: FileNote | Order) -> str:
    return msgspec.json.encode(note).decode()


def ordered_by(key: KeyRecord, snapshot: Snapshot, *, wire: str, request_id: str, models: dict[str, Priced]) -> Order:
    principal = key.principal
    team = snapshot.teams.get(principal.team or 0)
    return Order(wire, request_id, models, key.id, key.name, principal, team.name if team is not None else "", time.time())
