"""The contract between the two planes: what the data plane must know, as frozen structs with a schema version.

The control plane compiles sections, the data plane decodes them. A section is the unit of publication, so that one
changed key republishes 1/256 of the keys and one changed server republishes that server:

    keys:00 … keys:ff     KeySection      by the first byte of the key's digest
    teams                 TeamSection
    grants:00 … grants:3f GrantSection    by `grant_shard(subject)`
    budgets               BudgetSection
    llm                   LlmSection
    mcp:<slug>            ServerRecord    or ToolsetRecord, told apart by `kind`
    a2a:<slug>            AgentRecord

Subjects are `user:<pk>`, `team:<pk>`, `key:<pk>`; resources are `model:<name>`, `server:<slug>`, `tool:<slug>/<tool>`,
`toolset:<slug>`, `agent:<slug>`, `skill:<name>`. Prices are decimal strings in USD, never floats.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

SCHEMA = 1
"""Raised when a change is not readable by an older data plane; a store refuses sections of another schema."""

GRANT_SHARDS = 64


class Record(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base of everything that is published: immutable, compact, unknown fields of newer writers ignored."""


class LimitRecord(Record, frozen=True):
    """Fairness limits of one subject; None means that dimension is not limited. Windows are calendar minutes."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None


class PrincipalRecord(Record, frozen=True):
    """Who is calling. `ref` is a subject; `kind` is person, service_account or agent."""

    ref: str
    name: str
    kind: str
    team: int | None = None
    staff: bool = False


class KeyRecord(Record, frozen=True):
    """An API key that is valid but for its expiry: revoked keys are simply not published. `cache` is its consent to be
    answered from the response cache of models that have one."""

    id: int
    name: str
    prefix: str
    digest: bytes
    principal: PrincipalRecord
    expires_at: float | None = None
    limits: LimitRecord | None = None
    cache: bool = False

    @property
    def ref(self) -> str:
        return f"key:{self.id}"


class KeySection(Record, frozen=True):
    keys: tuple[KeyRecord, ...] = ()


class TeamRecord(Record, frozen=True):
    """A team and its ancestors: `path` starts with the team itself and ends at the organization."""

    id: int
    name: str
    path: tuple[int, ...]
    limits: LimitRecord | None = None


class TeamSection(Record, frozen=True):
    teams: tuple[TeamRecord, ...] = ()


class GrantSection(Record, frozen=True):
    """Resources by subject. Only direct grants: inheritance is resolved along the team's path."""

    grants: dict[str, tuple[str, ...]] = {}


class BudgetRecord(Record, frozen=True):
    """Money that a subject may spend in a window. `limit` is in 1e-9 USD; `mode` is hard or soft."""

    id: int
    subject: str
    limit: int
    period: str
    mode: str = "hard"


class BudgetSection(Record, frozen=True):
    budgets: tuple[BudgetRecord, ...] = ()


class PriceRecord(Record, frozen=True):
    """USD per million tokens of each meter (`request` and `image`: per one), as decimal strings.

    `ref` is stamped on every usage event priced by it. A meter that is None is not priced apart: cached reads and
    writes then cost what uncached input costs, reasoning is part of output.
    """

    ref: str
    input: str
    output: str
    cached_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    audio_input: str | None = None
    audio_output: str | None = None
    request: str | None = None
    image: str | None = None
    second: str | None = None


class ProviderRecord(Record, frozen=True):
    """An account at a vendor. `credential` is sealed (dataplane.sealing, AAD `llmgateway.provider:<id>:credential`).
    `vendor` names a row of the table of providers' facts, for addresses that do not tell it."""

    id: int
    name: str
    dialect: str
    base_url: str
    credential: bytes | None = None
    allow_private_network: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 300.0
    total_timeout: float = 900.0
    headers: dict[str, str] = {}
    vendor: str = ""


class DeploymentRecord(Record, frozen=True):
    """A provider's model as we can call it. Lower `priority` is tried first; `weight` shares calls within one."""

    id: int
    provider: int
    model: str
    weight: int = 1
    priority: int = 0
    price: PriceRecord | None = None


class ModelRecord(Record, frozen=True):
    """What callers ask for. `max_output` bounds the reservation of a call that names no maximum of its own.

    `cache_ttl` is how many seconds an answer may be given again to the same question (None: never). `first_token_timeout`
    and `idle_timeout` bound a stream's first token and the pause between two, in seconds; None leaves the gateway's own.
    `native_only`: a call goes only to deployments that speak its dialect, nothing is ever translated."""

    id: int
    name: str
    deployments: tuple[DeploymentRecord, ...]
    strategy: str = "weighted"
    fallbacks: tuple[str, ...] = ()
    max_output: int | None = None
    created_at: float = 0.0
    cache_ttl: int | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    native_only: bool = False


class LlmSection(Record, frozen=True):
    providers: tuple[ProviderRecord, ...] = ()
    models: tuple[ModelRecord, ...] = ()


class ToolRecord(Record, frozen=True):
    """One approved tool. `definition` is the raw JSON as it was approved; `price` is USD per call."""

    name: str
    definition: bytes
    digest: str
    price: str | None = None


class ServerRecord(Record, frozen=True, tag_field="kind", tag="server"):
    """An approved MCP server. `era` is auto, legacy or 2026-07-28. `credential` is sealed
    (AAD `registry.server:<id>:credential`) and sent as the header `credential_header`."""

    id: int
    slug: str
    name: str
    url: str
    era: str = "auto"
    version: str = ""
    tools: tuple[ToolRecord, ...] = ()
    credential: bytes | None = None
    credential_header: str = "authorization"
    allow_private_network: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 120.0
    total_timeout: float = 600.0


class ToolsetMember(Record, frozen=True):
    """One public tool of a toolset and where it is served."""

    name: str
    server: str
    tool: str


class ToolsetRecord(Record, frozen=True, tag_field="kind", tag="toolset"):
    """A virtual server over approved tools of several servers."""

    id: int
    slug: str
    name: str
    members: tuple[ToolsetMember, ...] = ()


McpSection = ServerRecord | ToolsetRecord


class AgentRecord(Record, frozen=True):
    """An approved agent. `card` is the raw upstream card as approved; `url` is its JSON-RPC interface.

    `credential` is sealed (AAD `registry.agent:<id>:credential`). `price` is USD per call; `approved_at` is Unix time."""

    id: int
    slug: str
    name: str
    url: str
    card: bytes
    credential: bytes | None = None
    credential_header: str = "authorization"
    allow_private_network: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 300.0
    total_timeout: float = 900.0
    price: str | None = None
    approved_at: float = 0.0


class Section(Record, frozen=True):
    """The envelope that travels: `body` is the msgpack of the struct that the name's prefix tells; b"" means gone."""

    name: str
    version: int
    body: bytes
    schema: int = SCHEMA


SECTION_TYPES: dict[str, object] = {
    "keys": KeySection,
    "teams": TeamSection,
    "grants": GrantSection,
    "budgets": BudgetSection,
    "llm": LlmSection,
    "mcp": McpSection,
    "a2a": AgentRecord,
}

_encoder = msgspec.msgpack.Encoder()
_decoders = {prefix: msgspec.msgpack.Decoder(kind) for prefix, kind in SECTION_TYPES.items()}
_section_decoder = msgspec.msgpack.Decoder(Section)


def encode(record: Record) -> bytes:
    """The body of a section, or a Section itself, as msgpack."""
    return _encoder.encode(record)


def decode_body(name: str, body: bytes) -> object:
    """The struct of the section `name`. Raises KeyError for an unknown prefix, msgspec.ValidationError for a bad body."""
    return _decoders[name.partition(":")[0]].decode(body)


def decode_section(data: bytes) -> Section:
    return _section_decoder.decode(data)


def key_shard(digest: bytes) -> str:
    """Name of the section that holds the key with this digest."""
    return f"keys:{digest[0]:02x}"


def grant_shard(subject: str) -> str:
    """Name of the section that holds the grants of this subject."""
    return f"grants:{crc32(subject.encode()) % GRANT_SHARDS:02x}"
