"""A chat request, read into the conversation. Nothing of the body is lost: what has no slot is in `extra` or `hints`."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import AudioOut, Request
from llmgateway.proxy.dialects.members import Members, refused
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, keep, mark
from llmgateway.proxy.dialects.openai_chat.messages_in import read_messages
from llmgateway.proxy.dialects.openai_chat.names import NAMED
from llmgateway.proxy.dialects.openai_chat.thinking import read_thinking
from llmgateway.proxy.dialects.openai_chat.tools_in import read_choice, read_format, read_tools

TEXTS = (
    ("model", "model"),
    ("verbosity", "verbosity"),
    ("user", "user"),
    ("service_tier", "service_tier"),
    ("cache_key", "prompt_cache_key"),
)
NUMBERS = tuple((slot, slot) for slot in ("temperature", "top_p", "min_p", "presence_penalty", "frequency_penalty"))
INTEGERS = (("top_k", "top_k"), ("top_logprobs", "top_logprobs"), ("answers", "n"))
FLAGS = (("logprobs", "logprobs"), ("parallel_tools", "parallel_tool_calls"))

HINTS = (
    "metadata",
    "store",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "labels",
    "session_id",
    "trace",
    "usage",
    "client_metadata",
)
"""Members of the body that change how an answer is made, kept or billed, and not what is asked."""


def parse_request(body: Json, model: str, stream: bool) -> Request:
    """Raises BadRequest. The address says nothing here: the body names model and stream."""
    members = Members(body, "", refused)
    request, rest = Request(named=dict(NAMED)), Rest({}, {})
    for slots, read in ((TEXTS, members.text), (NUMBERS, members.number), (INTEGERS, members.integer), (FLAGS, members.flag)):
        for slot, name in slots:
            setattr(request, slot, read(name))
    _read_bounds(members, request, rest)
    _read_shape(members, request, rest)
    request.cache = mark(members, rest)
    read_messages(members, request, rest)
    read_tools(members, request, rest)
    read_choice(members, request, rest)
    read_format(members, request, rest)
    read_thinking(members, request, rest)
    rest.hints.update((name, members.take(name)) for name in HINTS if name in members)
    keep(members, rest)
    request.extra, request.hints = rest.extra, rest.hints
    return request


def _read_bounds(members: Members, request: Request, rest: Rest) -> None:
    """The older name of the limit counts where it stands alone; OpenAI and Mistral call the seed differently."""
    newer, older = members.integer("max_completion_tokens"), members.integer("max_tokens")
    request.max_output = older if newer is None else newer
    if newer is None and older is not None:
        request.named["max_output"] = "max_tokens"
    elif older is not None and older != newer:
        rest.extra["max_tokens"] = older
    request.seed, other = members.integer("seed"), members.integer("random_seed")
    if request.seed is None and other is not None:
        request.seed, request.named["seed"] = other, "random_seed"
    elif other is not None and other != request.seed:
        rest.extra["random_seed"] = other
    stop = members.take("stop")
    if isinstance(stop, list) and all(type(item) is str for item in stop):
        request.stop = list(stop)
    elif isinstance(stop, str):
        request.stop = [stop]
    elif stop is not None:
        raise refused("stop", "a string or an array of strings")


def _read_shape(members: Members, request: Request, rest: Rest) -> None:
    request.logit_bias = members.mapping("logit_bias")
    request.modalities = members.texts("modalities")
    request.prediction = members.mapping("prediction")
    request.stream = bool(members.flag("stream"))
    options = members.inner("stream_options")
    if options is not None:
        request.stream_usage = bool(options.flag("include_usage"))
        rest.hints.update((path, value) for path, value in options.left().items() if value is not None)
    audio = members.inner("audio")
    if audio is not None:
        voice = audio.take("voice")
        request.audio = AudioOut(voice=voice if isinstance(voice, str) else "", format=audio.text("format"))
        if voice is not None and not isinstance(voice, str):
            rest.extra[audio.path("voice")] = voice
        keep(audio, rest)
