"""What a server's section means to a caller, derived once per section and kept as long as the section lives."""

from __future__ import annotations

from typing import cast

import msgspec

from dataplane.errors import Unavailable
from dataplane.jsonrpc import Members, Message, members_of
from dataplane.money import Rates, per_call
from dataplane.sealing import Sealer, SealError
from dataplane.snapshot import ServerRecord, ToolRecord
from dataplane.upstream import Upstream, Upstreams
from mcpgateway.proxy.pinning import matches
from mcpgateway.proxy.refusals import unknown_tool
from mcpgateway.proxy.screenings import Screened, Screening

STREAM_READ = 3600.0
STREAM_TOTAL = 86400.0
"""Seconds that a stream of notifications may be silent and may last."""

MAX_ACCESSES = 1024

_listing = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    name: str


_named = msgspec.json.Decoder(_Named)


class Tool:
    """An approved tool. `expectation` names its calls; its price is worked out when it is first called, since a server may have
    thousands of tools and a republication must not hold other calls up."""

    __slots__ = ("_price", "_priced", "definition", "digest", "expectation", "name")

    def __init__(self, record: ToolRecord, slug: str) -> None:
        self.name = record.name
        self.definition = record.definition
        self.digest = record.digest
        self.expectation = f"tool:{slug}/{record.name}"
        self._price = record.price
        self._priced: tuple[Rates, int] | None = None

    def priced(self) -> tuple[Rates, int]:
        """Its rates, and what one call costs in 1e-9 USD."""
        if self._priced is None:
            rates = per_call(self.expectation, self._price)
            self._priced = (rates, rates.reserve(input_tokens=0, output_tokens=0))
        return self._priced


class Access:
    """What one set of grants lets through on one server. `names` None means every approved tool."""

    __slots__ = ("names",)

    def __init__(self, names: frozenset[str] | None) -> None:
        self.names = names

    @property
    def whole(self) -> bool:
        return self.names is None

    def to(self, tool: str) -> bool:
        return self.names is None or tool in self.names


WHOLE = Access(None)


class ServerIndex:
    """A server with its tools by name. `drifted` holds tools whose last listing was not what was approved: this worker
    neither lists nor calls them until a listing agrees again or a review changes the section."""

    def __init__(self, record: ServerRecord) -> None:
        self.record = record
        self.tools = {tool.name: Tool(tool, record.slug) for tool in record.tools}
        self.drifted: set[str] = set()
        self._resource = f"server:{record.slug}"
        self._prefix = f"tool:{record.slug}/"
        self._accesses: dict[frozenset[str], Access | None] = {}
        self._verified: dict[tuple[str, str], bytes] = {}
        self._screened = Screened()
        self._credential: tuple[str, str] | None = None
        self._upstreams: dict[bool, Upstream] = {}

    def upstream(self, upstreams: Upstreams, *, lasting: bool) -> Upstream:
        """Where this server is called; `lasting` for streams of notifications, which nobody waits for to answer."""
        found = self._upstreams.get(lasting)
        if found is None:
            record = self.record
            read, total = (STREAM_READ, STREAM_TOTAL) if lasting else (record.read_timeout, record.total_timeout)
            timeouts = (record.connect_timeout, read, total)
            found = upstreams.get(record.url, allow_private=record.allow_private_network, timeouts=timeouts)
            self._upstreams[lasting] = found
        return found

    def credential(self, sealer: Sealer) -> tuple[str, str] | None:
        """The header that the house calls this server with, opened once. Raises Unavailable when it can't be opened."""
        record = self.record
        if record.credential is None or self._credential is not None:
            return self._credential
        try:
            secret = sealer.open(record.credential, bound_to=f"registry.server:{record.id}:credential")
        except SealError as error:
            raise Unavailable("The server's credential can't be opened.", code="credential_unreadable") from error
        self._credential = (record.credential_header, secret)
        return self._credential

    def access(self, allowed: frozenset[str]) -> Access | None:
        """None for a caller to whom this server does not exist."""
        if self._resource in allowed:
            return WHOLE
        try:
            return self._accesses[allowed]
        except KeyError:
            pass
        prefix = self._prefix
        names = frozenset(name for ref in allowed if ref.startswith(prefix) and (name := ref[len(prefix) :]) in self.tools)
        if len(self._accesses) >= MAX_ACCESSES:
            self._accesses.clear()
        access = self._accesses[allowed] = Access(names) if names else None
        return access

    def tool(self, name: str, access: Access) -> Tool | None:
        """The tool if this caller may call it."""
        if name in self.drifted or not access.to(name):
            return None
        return self.tools.get(name)

    def tool_or_refuse(self, name: str, access: Access, *, message: Message, modern: bool) -> Tool:
        """Raises RpcError: one answer for a tool that is not granted, not approved, drifted or not there."""
        tool = self.tool(name, access)
        if tool is None:
            raise unknown_tool(name, rpc_id=message.id, modern=modern)
        return tool

    def screen(self, result: bytes, *, access: Access, version: str, private: bool) -> bytes:
        """A tools/list result as this caller may see it: approved tools in their approved definition, nothing else.

        Members of the result that are not the list itself pass. `private` says that the result carries caching hints
        and must not be shared between callers. A result that is not one is returned with no tools at all."""
        key = (access.names, version, private)
        held = self._screened.get(key, result)
        if held is None:
            held = self._screen(result, access=access, version=version, private=private)
            self._screened.put(key, result, held)
        self.drifted -= held.good
        self.drifted |= held.bad
        return held.out

    def _screen(self, result: bytes, *, access: Access, version: str, private: bool) -> Screening:
        members = {name: raw for name, raw in (members_of(result) or {}).items() if name == "tools" or name.casefold() != "tools"}
        shown: list[msgspec.Raw] = []
        good: set[str] = set()
        bad: set[str] = set()
        for raw in _tools_of(members):
            tool = self._approved(raw)
            if tool is None or tool.name in good:
                continue
            if not self._verify(tool, bytes(raw), version):
                bad.add(tool.name)
                continue
            good.add(tool.name)
            if access.to(tool.name):
                shown.append(msgspec.Raw(tool.definition))
        members["tools"] = msgspec.Raw(_encode(shown))
        if private:
            members["cacheScope"] = msgspec.Raw(b'"private"')
        return Screening(_encode(members), frozenset(good - bad), frozenset(bad))

    def _approved(self, raw: msgspec.Raw) -> Tool | None:
        try:
            return self.tools.get(_named.decode(raw).name)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _verify(self, tool: Tool, raw: bytes, version: str) -> bool:
        """Bytes that were found equal before are not parsed again: the common case is one comparison of memory."""
        if raw == tool.definition or self._verified.get((tool.name, version)) == raw:
            return True
        if not matches(raw, approved=tool.definition, approved_digest=tool.digest, version=version):
            return False
        self._verified[tool.name, version] = raw
        return True


def server_index(section: object) -> ServerIndex:
    """What Snapshot.view makes of a server's section."""
    return ServerIndex(cast(ServerRecord, section))


def _tools_of(members: Members) -> list[msgspec.Raw]:
    raw = members.get("tools")
    if raw is None:
        return []
    try:
        return _listing.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []
