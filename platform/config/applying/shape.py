"""The shape of the file: one struct per section entry. An entry is stated whole: what it leaves out takes its default.

`expected` is what a person is told when a value does not fit.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


def _text(pattern: str, expected: str, most: int = 200) -> Meta:
    return Meta(pattern=pattern, max_length=most, extra={"expected": expected})


def _whole(expected: str, least: int, most: int) -> Meta:
    return Meta(ge=least, le=most, extra={"expected": expected})


Name = Annotated[str, _text(r"\A[^\s/][^\n\r\t]*\Z", "a name")]
Slug = Annotated[str, _text(r"\A[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z", "lower-case letters, digits, dots, dashes or underscores")]
Money = Annotated[str, _text(r"\A[0-9]{1,12}(?:\.[0-9]{1,12})?\Z", "a decimal string", 25)]
Url = Annotated[str, _text(r"\Ahttps?://[^\s]+\Z", "an address that begins with http:// or https://", 1000)]
Secret = Annotated[str, _text(r"\A[^\n\r]+\Z", "env:NAME, file:PATH or the secret itself", 20_000)]
Moment = Annotated[
    str,
    _text(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?\Z", "a date such as 2027-01-31 or 2027-01-31T12:00:00Z", 40),
]
Seconds = Annotated[str, _text(r"\A[0-9]{1,4}(?:\.[0-9])?\Z", 'seconds as a decimal string, such as "5" or "0.5"', 6)]
Wait = Seconds | Annotated[int, _whole('seconds, such as 30 or "0.5"', 1, 3600)]
Subject = Annotated[str, _text(r"\A(?:team|user):\S+\Z", "team:NAME or user:NAME", 200)]
Resource = Annotated[
    str, _text(r"\A(?:model|server|tool|toolset|agent|skill):\S+\Z", "a resource such as model:NAME or tool:SERVER/TOOL", 300)
]
Member = Annotated[str, _text(r"\A[^/\s]+/[^\s]+\Z", "server/tool or server/*", 300)]
Count = Annotated[int, _whole("a whole number from 1", 1, 2**31 - 1)]
Weight = Annotated[int, _whole("a whole number from 0 to 1000000", 0, 1_000_000)]
Priority = Annotated[int, _whole("a whole number from 0 to 1000", 0, 1000)]


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of the file. A field that it does not know is a mistake and never ignored."""


class Limits(Shape):
    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None


class Budget(Shape):
    limit: Money
    period: Literal["day", "week", "month", "total"] = "month"
    mode: Literal["hard", "soft"] = "hard"


class Team(Shape):
    name: Slug
    parent: Slug | None = None
    cost_center: str = ""
    budget: Budget | list[Budget] | None = None
    limits: Limits | None = None


class ServiceAccount(Shape):
    name: Name
    team: Slug | None = None


class Key(Shape):
    """`cache`: calls with it may be answered from the response cache of models that have one."""

    name: Name
    owner: Name
    secret: Secret | None = None
    expires_at: Moment | None = None
    limits: Limits | None = None
    cache: bool = False


class Provider(Shape):
    name: Name
    dialect: str
    base_url: Url
    api_key: Secret | None = None
    allow_private_network: bool = False
    vendor: str = ""
    connect_timeout: Seconds = "5"
    read_timeout: Seconds = "300"
    total_timeout: Seconds = "900"
    headers: dict[str, str] = {}
    enabled: bool = True


class Deployment(Shape):
    provider: Name
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    weight: Weight = 1
    priority: Priority = 0
    enabled: bool = True


class Price(Shape):
    """USD per million tokens; `request`, `image` and `second` per one."""

    input: Money
    output: Money
    cached_input: Money | None = None
    cache_write_5m: Money | None = None
    cache_write_1h: Money | None = None
    audio_input: Money | None = None
    audio_output: Money | None = None
    request: Money | None = None
    image: Money | None = None
    second: Money | None = None


class Cache(Shape):
    ttl: Annotated[int, _whole("seconds as a whole number from 1 to 2592000", 1, 2_592_000)]


class Timeouts(Shape):
    """Of a stream; left out: the gateway's own."""

    first_token: Wait | None = None
    idle: Wait | None = None


class Model(Shape):
    name: Name
    deployments: list[Deployment]
    strategy: str = "weighted"
    price: Price | None = None
    fallbacks: list[Name] = []
    max_output: Count | None = None
    cache: Cache | None = None
    timeouts: Timeouts | None = None
    native_only: bool = False
    description: str = ""
    team: Slug | None = None
    discoverable: bool = False
    enabled: bool = True


class Server(Shape):
    name: Name
    slug: Slug
    url: Url
    version: Annotated[str, Meta(max_length=64)] = ""
    title: str = ""
    description: str = ""
    era: str = "auto"
    team: Slug | None = None
    discoverable: bool = False
    allow_private_network: bool = False
    credential: Secret | None = None
    credential_header: str = "authorization"
    approve: bool = False


class Toolset(Shape):
    slug: Slug
    tools: list[Member]
    name: str = ""
    description: str = ""
    team: Slug | None = None
    discoverable: bool = False


class Agent(Shape):
    slug: Slug
    url: Url
    team: Slug | None = None
    name: str = ""
    description: str = ""
    discoverable: bool = False
    allow_private_network: bool = False
    credential: Secret | None = None
    credential_header: str = "authorization"
    price: Money | None = None
    approve: bool = False


class Skill(Shape):
    source: Annotated[str, Meta(min_length=1, max_length=1000)]
    collection: Slug | None = None
    team: Slug | None = None
    discoverable: bool = False
    approve: bool = False


class Grant(Shape):
    to: Subject
    use: list[Resource]


SECTIONS: dict[str, type[Shape]] = {
    "providers": Provider,
    "models": Model,
    "teams": Team,
    "service_accounts": ServiceAccount,
    "keys": Key,
    "servers": Server,
    "toolsets": Toolset,
    "agents": Agent,
    "skills": Skill,
    "grants": Grant,
}
