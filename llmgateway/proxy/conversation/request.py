"""What a caller asks of a model, whatever the dialect it was asked in.

A slot that is None (or empty) was not said. `named` tells what the caller's dialect calls a slot (`max_output` →
`max_tokens`), for refusals that name the field as its caller wrote it.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Cache, Json, Text

SYSTEM, DEVELOPER, USER, ASSISTANT = "system", "developer", "user", "assistant"


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`role` is system, developer, user or assistant. Tool results stand in user messages, in the order in which they
    came; a dialect with a role of its own for them makes one user message of each run of results. `name` is OpenAI's
    name of a participant."""

    role: str
    parts: list[AnyPart] = []
    name: str = ""
    id: str = ""
    at: str = ""


class Tool(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A function that the caller runs. `schema` is a JSON Schema object (None: takes nothing). `grammar` belongs to
    `custom` tools (OpenAI), whose input is free text."""

    name: str
    description: str = ""
    schema: Json = None
    strict: bool | None = None
    custom: bool = False
    grammar: Json = None
    cache: Cache | None = None
    at: str = ""


class VendorTool(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A tool that the vendor runs (web search, code execution, …), as it came in the dialect `vendor`."""

    vendor: str
    kind: str
    raw: Json
    at: str = ""


class ToolChoice(msgspec.Struct, omit_defaults=True):
    """`mode` is auto, none, any (some tool must be called) or tool (the one in `names`); with `any`, `names` limits them."""

    mode: str
    names: list[str] = []


class Format(msgspec.Struct, omit_defaults=True):
    """The shape of the answer: `kind` is text, json (any object) or schema."""

    kind: str
    schema: Json = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Thinking(msgspec.Struct, omit_defaults=True):
    """How much to reason. `effort` is none, minimal, low, medium, high, xhigh or max; `budget` is in tokens (0: none, -1:
    the model decides). `enabled` is None where only one of them was said. `show` is what may be seen of it: "" (not
    said), none, auto, concise, detailed or full."""

    enabled: bool | None = None
    effort: str = ""
    budget: int | None = None
    adaptive: bool = False
    show: str = ""


class AudioOut(msgspec.Struct, omit_defaults=True):
    voice: str = ""
    format: str = ""


class Request(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`system` are the instructions that stand apart from the messages (Anthropic `system`, Gemini `systemInstruction`,
    Responses `instructions`, Bedrock `system`, and the system and developer messages at the head of an OpenAI chat); such
    messages further down stay where they are in `messages`.

    `extra` holds what has no slot, by its path in the caller's body: only the same dialect expresses it. `hints` holds
    what changes how an answer is made or billed but not what is asked (`user`, `metadata`, `store`, `prompt_cache_key`,
    `service_tier`, …), by path: a target that has no place for it goes without, and the caller is told."""

    model: str = ""
    system: list[Text] = []
    messages: list[Message] = []
    tools: list[Tool | VendorTool] = []
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: Json = None
    answers: int | None = None
    """How many answers are asked for (`n`, `candidateCount`)."""
    format: Format | None = None
    thinking: Thinking | None = None
    verbosity: str = ""
    modalities: list[str] = []
    audio: AudioOut | None = None
    prediction: Json = None
    stream: bool = False
    stream_usage: bool = False
    """Whether a streaming caller asked for a usage chunk (OpenAI chat)."""
    user: str = ""
    service_tier: str = ""
    cache: Cache | None = None
    """A cache marker for the whole of what was sent (Anthropic's top-level `cache_control`)."""
    cache_key: str = ""
    hints: dict[str, Json] = {}
    extra: dict[str, Json] = {}
    named: dict[str, str] = {}

    def field(self, slot: str) -> str:
        """What the caller calls this slot."""
        return self.named.get(slot, slot)
