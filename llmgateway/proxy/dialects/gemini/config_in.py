"""`generationConfig` and `toolConfig` of a request."""

from __future__ import annotations

from collections.abc import Callable

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import AudioOut, Format, Request, Thinking, ToolChoice
from llmgateway.proxy.dialects.gemini.reading import Members, wrong
from llmgateway.proxy.dialects.gemini.schemas import to_json_schema

JSON_TYPE, TEXT_TYPE = "application/json", "text/plain"
OPENAPI_SCHEMA, JSON_SCHEMA = "responseSchema", "responseJsonSchema"

SLOTS: tuple[tuple[str, str, Callable[[Members, str], Json]], ...] = (
    ("temperature", "temperature", Members.number),
    ("top_p", "topP", Members.number),
    ("top_k", "topK", Members.integer),
    ("max_output", "maxOutputTokens", Members.integer),
    ("answers", "candidateCount", Members.integer),
    ("stop", "stopSequences", Members.texts),
    ("seed", "seed", Members.integer),
    ("presence_penalty", "presencePenalty", Members.number),
    ("frequency_penalty", "frequencyPenalty", Members.number),
    ("logprobs", "responseLogprobs", Members.flag),
    ("top_logprobs", "logprobs", Members.integer),
)
"""Slots that are a field of `generationConfig`, and how it is read."""


def read_config(top: Members, request: Request) -> None:
    """Raises BadRequest."""
    config = top.inner("generationConfig") or Members({}, "generationConfig")
    for slot, field, reader in SLOTS:
        request.named[slot] = config.where(field)
        setattr(request, slot, reader(config, field))
    request.named["modalities"] = config.where("responseModalities")
    request.modalities = [word.lower() for word in config.texts("responseModalities")]
    request.named["format"] = config.where("responseMimeType")
    request.format = _read_format(config, request)
    request.named["thinking"] = config.where("thinkingConfig")
    request.thinking = _read_thinking(config, request)
    request.named["audio"] = config.where("speechConfig")
    request.audio = _read_speech(config, request)
    config.leave(request.extra)


def _read_format(config: Members, request: Request) -> Format | None:
    """`text/x.enum` and whatever else has no slot stays where it was, beside the schema."""
    path, kind = config.where("responseMimeType"), config.text("responseMimeType")
    if kind not in (None, JSON_TYPE, TEXT_TYPE):
        request.extra[path] = kind
    for name in (JSON_SCHEMA, OPENAPI_SCHEMA):
        if config.has(name):
            at = request.named["format"] = config.where(name)
            schema = config.mapping(name)
            return Format("schema", schema if name == JSON_SCHEMA else to_json_schema(schema, at))
    if kind == JSON_TYPE:
        return Format("json")
    return Format("text") if kind == TEXT_TYPE else None


def _read_thinking(config: Members, request: Request) -> Thinking | None:
    told = config.inner("thinkingConfig")
    if told is None:
        return None
    budget, level, shown = told.integer("thinkingBudget"), told.text("thinkingLevel"), told.flag("includeThoughts")
    told.leave(request.extra)
    effort = (level or "").lower().removeprefix("thinking_level_")
    show = "" if shown is None else "auto" if shown else "none"
    return Thinking(budget=budget, effort="" if effort == "unspecified" else effort, show=show)


def _read_speech(config: Members, request: Request) -> AudioOut | None:
    """One of Google's own voices is a voice; everything else about speech is Google's alone."""
    path, value = config.where("speechConfig"), config.mapping("speechConfig")
    if value is None:
        return None
    speech = Members(value, path)
    voice = speech.inner("voiceConfig")
    prebuilt = voice.inner("prebuiltVoiceConfig") if voice is not None else None
    name = prebuilt.text("voiceName") if prebuilt is not None else None
    for members in (prebuilt, voice, speech):
        if members is not None:
            members.leave(request.extra)
    return AudioOut(voice=name) if name else None


def read_tool_config(top: Members, request: Request) -> None:
    """Raises BadRequest. VALIDATED lets the model choose as AUTO does; that its calls keep to the schema is a hint."""
    config = top.inner("toolConfig")
    if config is None:
        return
    calling = config.inner("functionCallingConfig")
    if calling is not None:
        request.named["tool_choice"] = calling.where("mode")
        request.tool_choice = _read_choice(calling, request)
        calling.leave(request.extra)
    config.leave(request.extra)


def _read_choice(calling: Members, request: Request) -> ToolChoice | None:
    path, mode = calling.where("mode"), calling.text("mode")
    if mode == "ANY":
        names = calling.texts("allowedFunctionNames")
        return ToolChoice("tool" if len(names) == 1 else "any", names)
    if mode == "NONE":
        return ToolChoice("none")
    if mode == "VALIDATED":
        request.hints[path] = mode
    elif mode not in (None, "AUTO", "MODE_UNSPECIFIED"):
        raise wrong(path, "AUTO, ANY, NONE or VALIDATED")
    return ToolChoice("auto") if mode in ("AUTO", "VALIDATED") else None
