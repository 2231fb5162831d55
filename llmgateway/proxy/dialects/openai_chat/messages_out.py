"""The conversation, written as the messages of a chat.

Instructions become one first message. Results of tools become messages of their own, directly behind the calls they
answer, before what else their user said. Earlier reasoning goes into the field in which the vendor takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmgateway.proxy.conversation.parts import AnyPart, Audio, Image, Reasoning, Refused, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, Message
from llmgateway.proxy.conversation.shown import shown_by_user, texts_of
from llmgateway.proxy.dialects.openai_chat import details
from llmgateway.proxy.dialects.openai_chat.content_out import pieces
from llmgateway.proxy.dialects.openai_chat.draft import Draft, Made
from llmgateway.proxy.dialects.openai_chat.names import CHAT, GEMINI, is_google, takes_developer

DETAILS = "reasoning_details"


def write_messages(draft: Draft) -> list[Made]:
    written = []
    if draft.request.system:
        role = DEVELOPER if takes_developer(draft.target) else SYSTEM
        written.append({"role": role, "content": content(draft, draft.request.system)})
    for message in draft.request.messages:
        written += _message(draft, message)
    return written


def _message(draft: Draft, message: Message) -> list[Made]:
    if message.role == ASSISTANT:
        return [_named(draft, message, _assistant(draft, message.parts))]
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    written = [_result(draft, part) for part in results]
    others = shown_by_user(results, draft.losses) + [part for part in message.parts if not isinstance(part, ToolResult)]
    if others or not results:
        role = SYSTEM if message.role == DEVELOPER and not draft.target.facts.developer else message.role
        written.append(_named(draft, message, {"role": role, "content": content(draft, others)}))
    return written


def _named(draft: Draft, message: Message, made: Made) -> Made:
    if message.name and draft.lacks("name"):
        draft.losses.hint(f"{message.at}.name")
    elif message.name:
        made["name"] = message.name
    return draft.place(message.at, made)


def content(draft: Draft, parts: Sequence[AnyPart]) -> str | list[Made]:
    """A lone text without a mark is the string itself."""
    made = pieces(draft, parts)
    if not made:
        return ""
    lone = len(made) == 1 and made[0].keys() == {"type", "text"} and not _extended(draft, parts)
    return made[0]["text"] if lone else made


def _extended(draft: Draft, parts: Sequence[AnyPart]) -> bool:
    """Whether members without a slot belong to one of these pieces, which so must stay an object."""
    held = (*draft.request.extra, *draft.request.hints) if draft.own else ()
    return any(part.at and path.startswith(f"{part.at}.") for part in parts for path in held)


def _result(draft: Draft, part: ToolResult) -> Made:
    if part.is_error:
        draft.losses.hint(f"{part.at}.is_error")
    texts = texts_of(part)
    made: Made = {"role": "tool", "tool_call_id": draft.call_id(part.call_id), "content": content(draft, texts)}
    if part.cache is not None and texts and ("cache" in draft.target.facts.adds or draft.breakpoints):
        marked = Text(text="", cache=part.cache, at=part.at)
        if isinstance(made["content"], str):
            made["content"] = [{"type": "text", "text": made["content"]}]
        draft.marked(marked, made["content"][-1])
    elif part.cache is not None:
        draft.losses.hint(f"{part.at}.cache_control")
    return draft.place(part.at, made)


def _assistant(draft: Draft, parts: list[AnyPart]) -> Made:
    """Content is null where there are calls or a refusal and nothing else."""
    made: Made = {"role": ASSISTANT}
    calls = [part for part in parts if isinstance(part, ToolCall)]
    reasoning = [part for part in parts if isinstance(part, Reasoning)]
    spoken = [part for part in parts if isinstance(part, Audio)]
    said = [part for part in parts if not isinstance(part, ToolCall | Reasoning | Audio | Image)]
    for part in parts:
        _lose(draft, part)
    refused = draft.openai and bool(said) and all(isinstance(part, Refused) for part in said)
    if refused:
        made["refusal"] = "".join(part.text for part in said if isinstance(part, Refused))
    made["content"] = None if refused else content(draft, said) or (None if calls or spoken else "")
    made |= _reasoning(draft, reasoning, bool(calls)) | _spoken(draft, spoken)
    written = [call for part in calls if (call := _call(draft, part)) is not None]
    if written:
        made["tool_calls"] = written
    if is_google(draft.target):
        made |= _google([part for part in parts if isinstance(part, Text)])
    return made


def _lose(draft: Draft, part: AnyPart) -> None:
    if isinstance(part, Image):
        draft.losses.drop(part.at, "an assistant's message has no images")
    elif isinstance(part, Text) and part.citations:
        draft.losses.hint(f"{part.at}.citations")


def _google(texts: list[Text]) -> Made:
    signed = [part.signature.value for part in texts if part.signature is not None and part.signature.vendor == GEMINI]
    return {"extra_content": {"google": {"thought_signature": signed[0]}}} if signed else {}


def _spoken(draft: Draft, spoken: list[Audio]) -> Made:
    made: Made = {}
    for part in spoken:
        if part.audio_id and draft.openai and not made:
            made["audio"] = draft.place(part.at, {"id": part.audio_id})
        else:
            draft.losses.drop(part.at, "an assistant's audio is named by its id, at the vendor that made it")
    return made


def _reasoning(draft: Draft, reasoning: list[Reasoning], called: bool) -> Made:
    """DeepSeek refuses earlier calls of a thinking model without the field, so an empty one is written."""
    field = draft.target.facts.replays
    if field == DETAILS:
        return _details(draft, reasoning)
    taken = []
    for part in reasoning:
        text = details.readable(part) if field else ""
        if text:
            taken.append(text)
        else:
            draft.losses.hint(part.at)
    if not taken:
        return {field: ""} if called and draft.vendor == "deepseek" else {}
    return {field: details.GAP.join(taken)}


def _details(draft: Draft, reasoning: list[Reasoning]) -> Made:
    """Signed by another vendor it means nothing to the one behind; unsigned text is taken."""
    entries: list[Made] = []
    for part in reasoning:
        if part.signature is not None and part.signature.vendor != CHAT:
            draft.losses.hint(part.at)
            continue
        again = bool(entries) and bool(part.id) and entries[-1].get("id") == part.id
        index = entries[-1]["index"] if again else entries[-1]["index"] + 1 if entries else 0
        entries.append(draft.place(part.at, details.entry(part, index)))
    return {DETAILS: entries} if entries else {}


def _call(draft: Draft, part: ToolCall) -> Made | None:
    made: Made = {"id": draft.call_id(part.id)}
    if part.custom:
        if not draft.openai:
            draft.losses.drop(part.at, "it has no custom tools")
            return None
        made |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    else:
        made |= {"type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}
    if part.signature is not None and part.signature.vendor == GEMINI and is_google(draft.target):
        made["extra_content"] = {"google": {"thought_signature": part.signature.value}}
    return draft.marked(part, made)
