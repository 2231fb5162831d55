"""/v1/files: uploaded, listed, read, deleted, each by its owner alone."""

from __future__ import annotations

from dataplane.call import Call
from dataplane.errors import Conflict
from dataplane.pins import Pin
from llmgateway.proxy.stored import accounts
from llmgateway.proxy.stored.keeping import about, told
from llmgateway.proxy.stored.listing import Listing
from llmgateway.proxy.stored.notes import FileNote, file_note, written
from llmgateway.proxy.stored.notices import decoded
from llmgateway.proxy.stored.owners import own, owner_of
from llmgateway.proxy.stored.relaying import StoredCall, leg_to
from llmgateway.proxy.stored.uploads import Uploads
from llmgateway.proxy.stored.visit import Address, StoredGateway, Visit, below

FILE = "file"
_uploads = Uploads()


async def _uploaded(visit: Visit) -> Call:
    upload = await _uploads.take(visit)
    account = upload.account
    leg = leg_to(account, visit.request, "/files", body=upload.body, content_type=upload.content_type)
    note = "" if upload.checked is None else written(FileNote(checked=upload.checked))

    def remember(body: bytes) -> None:
        ident = decoded(body).get("id")
        if isinstance(ident, str):
            place = account.place
            pin = Pin(provider=place.provider_id, provider_name=place.provider, owner=owner_of(visit.key), kind=FILE, note=note)
            visit.kit.pins.remember(ident, pin)

    return StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg).then(remember)


async def _content(visit: Visit) -> Call:
    return (await about(visit, "/files/{}/content", FILE)).passed_through()


async def _deleted(visit: Visit) -> Call:
    """What a batch has made is not deleted before it is known what the batch has used."""
    note = file_note(await own(visit.kit, visit.key, visit.ids[0], kind=FILE))
    if note.made is not None:
        batch = await visit.kit.pins.find(note.made.batch)
        if batch is not None and batch.open:
            raise Conflict(
                "The batch that made this file is still being metered. Fetch the batch, then delete it again.", code="batch_open"
            )
    return (await about(visit, "/files/{}", FILE)).then(lambda body: visit.kit.pins.forget(visit.ids[0]))


ADDRESSES = (
    Address("POST", "/v1/files", _uploaded),
    Address("GET", "/v1/files", Listing(accounts.FILES, FILE, "/files", usual=10_000, most=10_000)),
    Address("GET", "/v1/files/{}", told("/files/{}", FILE)),
    Address("DELETE", "/v1/files/{}", _deleted),
    Address("GET", "/v1/files/{}/content", _content),
)
ROUTES = below("/v1/files", StoredGateway(ADDRESSES))
