"""What the house knows of one LLM vendor, as a row of facts: their names, and what each means."""

from __future__ import annotations

from typing import NamedTuple

CHAT, RESPONSES, MESSAGES, GEMINI, BEDROCK, COHERE = "openai-chat", "openai-responses", "anthropic", "gemini", "bedrock", "cohere"
"""Names of wire dialects. A provider's dialect `openai` is two of them: which ones a vendor serves is a fact."""


def names(text: str) -> frozenset[str]:
    """A set of names that stand apart by spaces."""
    return frozenset(text.split())


SLOTS = names(
    "tools tool_choice parallel_tools max_output temperature top_p top_k min_p stop seed presence_penalty frequency_penalty logprobs"
    " top_logprobs logit_bias answers format thinking verbosity modalities audio prediction user service_tier cache_key"
)
"""Slots of `conversation.request.Request` that a vendor may lack."""

PIECES = names("image image_url file json_schema strict name show")
"""What is no slot and may be lacked: pictures, and those given by address; files; formats that are a schema; holding a model to
one; names of participants; asking for what may be seen of the thinking. `audio` is sound both ways."""

ADDABLE = frozenset({"top_k", "min_p", "cache"})
REPLAYS = frozenset({"", "reasoning_content", "reasoning", "reasoning_details"})


class Facts(NamedTuple):
    """`slug` names the row; the vendor's name in the price catalogue is `prices`, or the same where that is "". `host` is a
    pattern for the whole host name of its API: rows of one host tell of its addresses by dialect. `base_url` prefills the
    form; where it holds `<…>` the customer has to fill in a name of its own. `docs` is the API reference that the row was
    written from.

    `wires` are the wire dialects that it serves, those first that calls of other dialects are better translated to. `auth`
    is how the credential is sent: bearer, x-api-key, api-key, x-goog-api-key, sigv4 (AWS keys; a plain key goes as bearer),
    google (a service account's token; a plain key goes as x-goog-api-key).

    What its wire lacks or adds, compared to the dialect's own vendor:

    `max_tokens`    the field for the most output tokens (OpenAI chat)
    `developer`     whether messages may have the role developer (OpenAI chat); otherwise system is written
    `lacks`         SLOTS and PIECES that it refuses, or takes without heeding them. Facts of single models are none of a vendor's
    `chat_lacks`, `responses_lacks`  what it lacks in one of its two OpenAI wires only
    `adds`          slots that the dialect's own vendor lacks and this one takes: top_k, min_p, cache (cache_control marks on parts)
    `replays`       the message field in which it takes its own earlier reasoning back: "", reasoning_content, reasoning,
                    reasoning_details (OpenAI chat)
    `tool_ids`      the pattern of tool call ids that it insists on: "" (none) or alnum9 (exactly nine letters and digits)
    `usage_option`  whether `stream_options.include_usage` is taken
    `customs`       whether it takes custom tools, whose input is free text
    `counts`        whether it counts a prompt's tokens without generating; where nobody does, the house estimates
    `encrypts`      pattern of the models whose reasoning it gives out encrypted, for callers who keep the conversation
    `bills_on`      whether it goes on generating, and billing, when its client leaves: then a stream is drained for its usage
    """

    slug: str
    label: str
    host: str
    base_url: str
    dialect: str = "openai"
    keys_page: str = ""
    docs: str = ""
    local: bool = False
    wires: tuple[str, ...] = (CHAT,)
    auth: str = "bearer"
    max_tokens: str = "max_tokens"
    developer: bool = False
    lacks: frozenset[str] = frozenset()
    chat_lacks: frozenset[str] = frozenset()
    responses_lacks: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    replays: str = ""
    tool_ids: str = ""
    usage_option: bool = True
    bills_on: bool = False
    counts: bool = False
    customs: bool = False
    encrypts: str = ""
    prices: str = ""

    @property
    def price_list(self) -> str:
        return self.prices or self.slug

    def spoken(self, wire: str) -> Facts:
        """The row as it is for one wire: `lacks` is all that it lacks there."""
        more = self.chat_lacks if wire == CHAT else self.responses_lacks if wire == RESPONSES else frozenset()
        return self._replace(lacks=self.lacks | more) if more else self
