"""A Messages request to a conversation. Nothing is lost: what has no slot ends in `hints` or `extra`, by its path.

What changes how an answer is made or billed is a hint, and what changes what is asked is not: Claude Code sends
`context_management`, `metadata`, cache markers and betas with every call, and must get an answer of any model.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import ASSISTANT, SYSTEM, USER, Message, Request
from llmgateway.proxy.dialects.anthropic_messages import blocks_in, options_in
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import Place
from llmgateway.proxy.dialects.anthropic_messages.names import NAMED
from llmgateway.proxy.dialects.anthropic_messages.reading import Members, Rest, bad

HINTS = (
    "anthropic_beta",
    "anthropic_version",
    "betas",
    "billing_policy",
    "compaction",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "speed",
    "user_profile_id",
    "workspace_id",
)
"""Members of the body that say how it is run, for whom, and what is cleared from a long history."""

_NUMBERS = ("temperature", "top_p")


def parse_request(body: Json, model: str = "", stream: bool = False) -> Request:
    """`model` and `stream` of the address are not looked at: both are in the body. Also reads the body of count_tokens, which
    has no maximum. Raises BadRequest."""
    rest = Rest({}, {})
    given = Members(body, "", bad)
    request = Request(model=given.text("model"), named=dict(NAMED))
    place = Place(bad, rest, {})
    system = given.take("system")
    if system is not None:
        request.system = blocks_in.texts(system, "system", place)
    request.messages = [_message(raw, f"messages[{number}]", place) for number, raw in enumerate(_messages(given))]
    request.tools = [options_in.tool(raw, f"tools[{number}]", rest) for number, raw in enumerate(given.items("tools"))]
    options_in.tool_choice(given, request, rest)
    options_in.thinking(given, request, rest)
    options_in.output(given, request, rest)
    _sampling(given, request)
    _run(given, request, rest)
    given.leave(rest.extra)
    request.extra, request.hints = rest
    return request


def _messages(given: Members) -> list[Json]:
    value = given.take("messages")
    if not isinstance(value, list):
        raise bad("messages", "an array of messages")
    return value


def _message(raw: Json, at: str, place: Place) -> Message:
    given = Members(raw, at, bad)
    role = given.needed("role")
    if role not in (USER, ASSISTANT, SYSTEM):
        raise bad(f"{at}.role", "one of user, assistant, system")
    value = given.take("content")
    if value is None and role != SYSTEM:
        raise bad(f"{at}.content", "a string or an array of content blocks")
    parts = blocks_in.content([] if value is None else value, f"{at}.content", place, said=role == ASSISTANT)
    given.leave(place.rest.extra)
    return Message(role=role, parts=parts, at=at)


def _sampling(given: Members, request: Request) -> None:
    request.max_output = given.whole("max_tokens")
    for name in _NUMBERS:
        setattr(request, name, given.number(name))
    request.top_k = given.whole("top_k")
    request.stop = given.texts("stop_sequences")


def _run(given: Members, request: Request, rest: Rest) -> None:
    request.stream = bool(given.flag("stream"))
    request.service_tier = given.text("service_tier")
    request.cache = blocks_in.cache_of(given, rest)
    metadata = given.members("metadata")
    if metadata is not None:
        request.user = metadata.text("user_id")
        metadata.leave(rest.hints)
    given.hint(rest, *HINTS)
