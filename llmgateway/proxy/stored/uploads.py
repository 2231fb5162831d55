"""A file on its way to a provider. It is put by on disk first: nothing goes out before all of it is here and, where it is a
batch, before every line of it may be called."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dataplane.errors import BadRequest, HouseError, RateLimited
from llmgateway.proxy.stored import accounts, forms
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.batch_lines import Lines
from llmgateway.proxy.stored.notes import Checked
from llmgateway.proxy.stored.spool import Spool, received
from llmgateway.proxy.stored.visit import Visit

MAX_UPLOAD = 200 * 1024 * 1024
AT_ONCE = 8
"""Uploads of a worker that are put by at the same time."""

PATIENCE = 900.0
"""Seconds that an upload may take to come in."""


class Upload(NamedTuple):
    """What goes to the provider. `checked` is of a batch's file."""

    account: Account
    content_type: str
    body: Spool
    checked: Checked | None


class Uploads:
    """Owns how many there are at once."""

    def __init__(self) -> None:
        self._under_way = 0

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise RateLimited(f"{AT_ONCE} uploads are under way; try again in a moment.", retry_after=1.0)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def take(self, visit: Visit) -> Upload:
        """Reads the caller's form. Raises BadRequest, NotFound, PayloadTooLarge, RateLimited."""
        boundary = forms.boundary_of(visit.request.header(b"content-type"))
        account = accounts.account_for(visit.runtime, visit.request, visit.key, visit.snapshot, what=accounts.FILES)
        directory = visit.kit.journal.directory.parent
        with self._place():
            try:
                async with asyncio.timeout(PATIENCE):
                    spool = await received(visit.request, directory, limit=MAX_UPLOAD)
            except TimeoutError:
                raise HouseError("The upload took too long.", code="request_timeout", status=408) from None
            return await self._read(visit, account, boundary, spool)

    async def _read(self, visit: Visit, account: Account, boundary: bytes, spool: Spool) -> Upload:
        if not spool.length:
            raise BadRequest("The form is empty.", code="invalid_form")
        with spool.mapped() as data:
            parts = await asyncio.to_thread(forms.parts_of, data, boundary)
            purpose = forms.field(data, parts, "purpose")
            file = parts.get("file")
            if not purpose:
                raise BadRequest("The part purpose is required.", param="purpose", code="missing_field")
            if file is None or file.filename is None:
                raise BadRequest("The part file is required, with a file in it.", param="file", code="missing_field")
            if purpose.strip() != "batch":
                return Upload(account, visit.request.header(b"content-type") or "", spool, None)
            lines = Lines(visit.runtime, visit.snapshot.allowed(visit.key), account)
            content = lines.rewritten(data, file.start, file.end)
            content_type, body = forms.rebuilt(data, parts, "file", content)
            written = await asyncio.to_thread(_put_by, visit.kit.journal.directory.parent, body)
        await lines.refer(visit)
        return Upload(account, content_type, written, lines.checked)


def _put_by(directory: Path, body: Iterator[bytes]) -> Spool:
    spool = Spool(directory)
    spool.write(body)
    return spool
