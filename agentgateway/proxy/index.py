"""What an agent's section means to a call, derived once per section."""

from __future__ import annotations

import hashlib
import time
from email.utils import formatdate

from agentgateway.proxy.cards import rewritten
from dataplane.errors import Unavailable
from dataplane.money import per_call
from dataplane.sealing import Sealer, SealError
from dataplane.snapshot import AgentRecord


class AgentIndex:
    """An approved agent. `card` is what callers get, `etag` names its bytes, `modified` is an HTTP date."""

    def __init__(self, record: AgentRecord, public_url: str) -> None:
        self.record = record
        self.public_url = f"{public_url}/a2a/{record.slug}"
        self.rates = per_call(f"agent:{record.slug}", record.price)
        self.card = rewritten(record.card, upstream_url=record.url, public_url=self.public_url)
        self.etag = f'"{hashlib.sha256(self.card).hexdigest()[:32]}"'
        self.modified = formatdate(record.approved_at or time.time(), usegmt=True)
        self._credential: tuple[str, str] | None = None

    def credential(self, sealer: Sealer) -> tuple[str, str] | None:
        """The header that the house calls this agent with, opened once. Raises Unavailable when it can't be opened."""
        record = self.record
        if record.credential is None or self._credential is not None:
            return self._credential
        try:
            secret = sealer.open(record.credential, bound_to=f"registry.agent:{record.id}:credential")
        except SealError as error:
            raise Unavailable("The agent's credential can't be opened.", code="credential_unreadable") from error
        self._credential = (record.credential_header, secret)
        return self._credential
