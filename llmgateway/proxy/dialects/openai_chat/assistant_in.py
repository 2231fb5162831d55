"""What an assistant said, of a request's history or of an answer: the same shape in both, but for what may be unwrapped.

Reasoning comes before the content, and the content before the tool calls, unless `reasoning_details` say more of the order.
Google's signatures (`extra_content.google.thought_signature`, of a call or of the whole message) are Gemini's own.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Audio, Citation, Json, Reasoning, Refused, Signature, Text, ToolCall
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat import details
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, content, keep, mark, piece
from llmgateway.proxy.dialects.openai_chat.names import CHAT, GEMINI
from llmgateway.proxy.dialects.openai_chat.order import arrange, unseen

REASONING_FIELDS = ("reasoning_content", "reasoning")


def assistant(message: Members, rest: Rest, *, stem: str, unsealed: bool) -> list[AnyPart]:
    """The parts of the message. `stem` begins the ids of calls that came without one."""
    entries = [details.read(entry, unsealed=unsealed) for entry in message.each("reasoning_details")]
    shown = unseen(_readable(message, rest), entries)
    said = _said(message, rest)
    calls = _calls(message, rest, stem)
    signature = google_signature(message, rest)
    if signature is not None:
        _sign(said, calls, signature)
    parts = arrange(said, calls, entries)
    keep(message, rest)
    if shown:
        parts.insert(0, Reasoning(text=shown, at=message.path("reasoning_content")))
    return parts


def _readable(message: Members, rest: Rest) -> str:
    first, second = (message.text(name) for name in REASONING_FIELDS)
    if first and second and first != second:
        rest.hints[message.path("reasoning")] = second
    return first or second


def _said(message: Members, rest: Rest) -> list[AnyPart]:
    said = content(message, "content", rest)
    citations = _citations(message)
    text = next((part for part in reversed(said) if isinstance(part, Text)), None)
    if citations and text is None:
        text = Text(text="", at=message.path("content"))
        said.append(text)
    if text is not None:
        text.citations = citations
    refusal = message.text("refusal")
    if refusal:
        said.append(Refused(text=refusal, at=message.path("refusal")))
    heard = message.inner("audio")
    if heard is not None:
        said.append(_audio(heard, rest))
    said += [piece(item, f"{message.path('images')}[{place}]", message.wrong, rest) for place, item in enumerate(message.array("images"))]
    return said


def _audio(heard: Members, rest: Rest) -> Audio:
    part = Audio(audio_id=heard.text("id"), data=heard.text("data"), transcript=heard.text("transcript"), at=heard.at)
    part.expires_at = heard.integer("expires_at")
    keep(heard, rest)
    return part


def _citations(message: Members) -> list[Citation]:
    return [citation(entry) for entry in message.each("annotations")]


def citation(entry: Members) -> Citation:
    """One that is no url_citation (OpenRouter's parsed files) is kept as it came."""
    raw: dict[str, Json] = {path[len(entry.at) + 1 :]: value for path, value in entry.left().items()}
    kind = entry.text("type")
    if kind != "url_citation":
        return Citation(kind="file", vendor=CHAT, raw=raw)
    inner = entry.needed("url_citation")
    made = Citation(kind="url", url=inner.text("url"), title=inner.text("title"), quote=inner.text("content"))
    made.start, made.end = inner.integer("start_index"), inner.integer("end_index")
    return made


def google_signature(owner: Members, rest: Rest) -> Signature | None:
    inner = owner.inner("extra_content")
    google = inner.inner("google") if inner is not None else None
    value = google.text("thought_signature") if google is not None else ""
    if google is not None:
        google.flag("thought")
    for members in (google, inner):
        if members is not None:
            keep(members, rest)
    return Signature(GEMINI, value) if value else None


def _sign(said: list[AnyPart], calls: list[ToolCall], signature: Signature) -> None:
    """A signature of the whole message: of its text where there is one, else of its first call."""
    texts = [part for part in said if isinstance(part, Text)]
    unsigned = [part for part in (*texts, *calls) if part.signature is None]
    if unsigned:
        unsigned[0].signature = signature
    else:
        said.append(Text(text="", signature=signature))


def _calls(message: Members, rest: Rest, stem: str) -> list[ToolCall]:
    calls = [tool_call(entry, rest, f"{stem}_{place}") for place, entry in enumerate(message.each("tool_calls"))]
    legacy = message.inner("function_call")
    if legacy is not None:
        calls.append(_function(legacy, rest, f"{stem}_{len(calls)}"))
        calls[-1].at = legacy.at
    return calls


def tool_call(entry: Members, rest: Rest, made_id: str) -> ToolCall:
    """`index` only says what the order says."""
    entry.integer("index")
    kind, id_ = entry.text("type") or "function", entry.text("id") or made_id
    if kind == "custom":
        inner = entry.needed("custom")
        call = ToolCall(id=id_, name=inner.needed_text("name"), arguments=inner.text("input"), custom=True)
        keep(inner, rest)
    elif kind == "function":
        call = _function(entry.needed("function"), rest, id_)
    else:
        raise entry.wrong(entry.path("type"), '"function" or "custom"')
    call.at, call.cache, call.signature = entry.at, mark(entry, rest), google_signature(entry, rest)
    keep(entry, rest)
    return call


def _function(inner: Members, rest: Rest, id_: str) -> ToolCall:
    call = ToolCall(id=id_, name=inner.needed_text("name"), arguments=arguments(inner))
    keep(inner, rest)
    return call


def arguments(inner: Members) -> str:
    """Some vendors give the object itself."""
    value = inner.take("arguments")
    if value is None or isinstance(value, str):
        return value or ""
    if type(value) is dict:
        return msgspec.json.encode(value).decode()
    raise inner.wrong(inner.path("arguments"), "a string")
