"""Writes `generationConfig` and `toolConfig` of a request for Google."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Thinking, ToolChoice
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.gemini.config_in import JSON_SCHEMA, JSON_TYPE, OPENAPI_SCHEMA, SLOTS, TEXT_TYPE
from llmgateway.proxy.dialects.gemini.reading import camel
from llmgateway.proxy.dialects.gemini.schemas import from_json_schema
from llmgateway.proxy.dialects.unsaid import drop_unwritten, said

WRITTEN = (*(slot for slot, _, _ in SLOTS), "tool_choice", "parallel_tools", "format", "thinking", "modalities", "audio", "service_tier")
"""Slots that are written, or told of where they can't be."""

_TIERS = frozenset({"flex", "priority"})
_DEFAULT_TIERS = frozenset({"", "auto", "default", "standard"})
_PCM = frozenset({"", "pcm", "pcm16"})

BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""What an effort is in tokens, for models that know no levels: as Google's own endpoint of the OpenAI dialect reads it."""

_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_OLD = ("gemini-1", "gemini-2", "gemini-robotics-er-1.5")


def counts_thoughts(model: str) -> bool:
    """Whether thinking is set in tokens for this model; those from Gemini 3 on have levels."""
    return model.rpartition("/")[2].startswith(_OLD)


def write_config(request: Request, target: Target, losses: Losses, *, own: bool) -> dict[str, Json]:
    config: dict[str, Json] = {}
    for slot, field, _ in SLOTS:
        value = getattr(request, slot)
        if value is None or value == []:
            continue
        if slot in target.facts.lacks:
            losses.drop(request.field(slot), "its vendor refuses it")
        else:
            config[field] = value
    _write_format(request, config, losses)
    _write_speech(request, config, losses)
    if request.thinking is not None:
        thinking = _as_it_came(request.thinking) if own else _write_thinking(request, target, losses)
        if thinking:
            config["thinkingConfig"] = thinking
    _tell_losses(request, losses)
    return config


def _tell_losses(request: Request, losses: Losses) -> None:
    """That a model shall make one call at a time can't be said; its calls come in order, so a caller can take the first."""
    drop_unwritten(request, losses, written=WRITTEN)
    if said(request, "parallel_tools"):
        losses.hint(request.field("parallel_tools"))


def tier(request: Request, losses: Losses, *, own: bool) -> str:
    """The tier that is asked for, "" for Google's own choice."""
    if own or request.service_tier in _TIERS:
        return request.service_tier
    if request.service_tier not in _DEFAULT_TIERS:
        losses.hint(request.field("service_tier"))
    return ""


def _write_format(request: Request, config: dict[str, Json], losses: Losses) -> None:
    shape = request.format
    if shape is None:
        return
    if shape.kind == "text":
        config["responseMimeType"] = TEXT_TYPE
        return
    config["responseMimeType"] = JSON_TYPE
    if shape.kind != "schema":
        return
    if shape.description:
        losses.hint(f"{request.field('format')}.description")
    if camel(request.field("format").rpartition(".")[2]) == OPENAPI_SCHEMA:
        config[OPENAPI_SCHEMA] = from_json_schema(shape.schema)
    else:
        config[JSON_SCHEMA] = shape.schema


def _write_speech(request: Request, config: dict[str, Json], losses: Losses) -> None:
    if request.modalities:
        config["responseModalities"] = [word.upper() for word in request.modalities]
    if request.audio is None:
        return
    if request.audio.voice:
        config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": request.audio.voice}}}
    if request.audio.format not in _PCM:
        losses.drop(f"{request.field('audio')}.format", "sound comes as PCM only")


def _as_it_came(thinking: Thinking) -> dict[str, Json]:
    told: dict[str, Json] = {}
    if thinking.budget is not None:
        told["thinkingBudget"] = thinking.budget
    if thinking.effort:
        told["thinkingLevel"] = thinking.effort.upper()
    if thinking.show:
        told["includeThoughts"] = thinking.show != "none"
    return told


def _write_thinking(request: Request, target: Target, losses: Losses) -> dict[str, Json]:
    thinking = request.thinking or Thinking()
    if counts_thoughts(target.model):
        told = _in_tokens(thinking)
    else:
        told = _as_level(thinking, request.field("thinking"), target.model, losses)
    if thinking.show:
        told["includeThoughts"] = thinking.show != "none"
    elif thinking.enabled or thinking.adaptive:
        told["includeThoughts"] = True
    return told


def _in_tokens(thinking: Thinking) -> dict[str, Json]:
    if thinking.enabled is False:
        return {"thinkingBudget": 0}
    if thinking.budget is not None:
        return {"thinkingBudget": thinking.budget}
    if thinking.effort:
        return {"thinkingBudget": BUDGETS.get(thinking.effort, BUDGETS["high"])}
    return {"thinkingBudget": -1} if thinking.adaptive or thinking.enabled else {}


def _as_level(thinking: Thinking, field: str, model: str, losses: Losses) -> dict[str, Json]:
    """These models always think: the least of it stands for none, and only the small ones know `minimal`. A budget is taken
    for compatibility. What is only the nearest of what was asked is told."""
    effort = thinking.effort
    if thinking.enabled is False or thinking.budget == 0:
        effort = "none"
    if thinking.budget is not None and thinking.budget != 0 and not effort:
        return {"thinkingBudget": thinking.budget} if thinking.budget > 0 else {}
    least = "minimal" if "flash" in model else "low"
    level = {"none": least, "minimal": least, "max": "high"}.get(effort, effort)
    if level != effort:
        losses.hint(field)
    if level in _LEVELS:
        return {"thinkingLevel": level.upper()}
    if level:
        losses.drop(field, f"an effort of {level} is not known")
    return {}


def write_choice(choice: ToolChoice) -> dict[str, Json]:
    """`functionCallingConfig`."""
    match choice.mode:
        case "any" | "tool":
            names = {"allowedFunctionNames": list(choice.names)} if choice.names else {}
            return {"mode": "ANY", **names}
        case "none":
            return {"mode": "NONE"}
        case _:
            return {"mode": "AUTO"}
