"""A vendor's facts in words, for the pages of providers. Nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass

from llmgateway.proxy.providers import BEDROCK, CHAT, COHERE, GEMINI, MESSAGES, RESPONSES, Facts

WIRES = {
    CHAT: "OpenAI Chat Completions",
    RESPONSES: "OpenAI Responses",
    MESSAGES: "Anthropic Messages",
    GEMINI: "Gemini generateContent",
    BEDROCK: "Bedrock Converse",
    COHERE: "Cohere v2",
}
PROOFS = {
    "bearer": "An API key, sent as “Authorization: Bearer”.",
    "x-api-key": "An API key, sent as “x-api-key”.",
    "api-key": "An API key of the resource, sent as “api-key”.",
    "x-goog-api-key": "An API key, sent as “x-goog-api-key”.",
    "sigv4": 'A Bedrock API key, or AWS access keys as {"access_key_id": "…", "secret_access_key": "…"}: then every request is signed.',
    "google": "The JSON key file of a service account, exchanged for tokens of an hour; or an API key of express mode.",
}
SLOTS = {
    "tools": "tools",
    "tool_choice": "a forced choice of tools",
    "format": "the shape of an answer",
    "name": "names of participants",
    "show": "a summary of the reasoning",
    "verbosity": "verbosity",
    "service_tier": "service tiers",
    "cache_key": "cache keys",
    "image": "images",
    "image_url": "images by address",
    "file": "files",
    "audio": "audio",
    "json_schema": "answers after a JSON schema",
    "strict": "strict tools",
    "modalities": "answers in audio",
    "prediction": "predicted output",
    "answers": "several answers at once",
    "seed": "a seed",
    "logit_bias": "logit bias",
    "logprobs": "log probabilities",
    "top_logprobs": "the likeliest alternatives of a token",
    "presence_penalty": "presence penalty",
    "frequency_penalty": "frequency penalty",
    "user": "the caller's name for its user",
    "top_k": "top-k sampling",
    "min_p": "min-p sampling",
    "cache": "marks of what to cache",
}
"""Slots of a conversation as people call them; one that is not here is told by its own name."""

FIELDS = {
    "google-vertex": (
        ("<location>", "where the models run, e.g. europe-west4; twice in the address. For “global” the host has no prefix."),
        ("<project>", "the ID of the Google Cloud project that is billed."),
    ),
    "azure": (("<resource>", "the name of the Azure OpenAI resource. A deployment's name there is what a model is called by here."),),
    "azure-anthropic": (("<resource>", "the name of the Foundry resource. A deployment's name there is what a model is called by here."),),
    "aws": (("<region>", "the AWS region whose models are called, e.g. eu-central-1."),),
    "aws-openai": (("<region>", "the AWS region whose models are called, e.g. eu-central-1."),),
}
"""What the parts in angle brackets of an address stand for, by the vendor's slug."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a page tells of a vendor. `lacks`, `adds` and `notes` are phrases; `fields` are parts to fill in and their meaning.
    `docs` is its API reference, without the scheme."""

    label: str
    known: bool
    wires: tuple[str, ...]
    proof: str
    keys_page: str
    docs: str
    lacks: tuple[str, ...]
    adds: tuple[str, ...]
    notes: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


def portrait(facts: Facts) -> Portrait:
    return Portrait(
        label=facts.label or "Any compatible address",
        known=bool(facts.slug),
        wires=tuple(WIRES.get(wire, wire) for wire in facts.wires),
        proof=PROOFS.get(facts.auth, f"An API key, sent as “{facts.auth}”."),
        keys_page=facts.keys_page,
        docs=facts.docs,
        lacks=_phrases(facts.lacks),
        adds=_phrases(facts.adds),
        notes=tuple(_notes(facts)),
        fields=FIELDS.get(facts.slug, ()),
    )


def _phrases(slots: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(SLOTS.get(slot, slot.replace("_", " ")) for slot in slots))


def _notes(facts: Facts) -> list[str]:
    notes = []
    if facts.chat_lacks:
        notes.append(f"In a chat it refuses {', '.join(_phrases(facts.chat_lacks))}: a translated call goes as Responses.")
    if facts.responses_lacks:
        notes.append(f"In Responses it refuses {', '.join(_phrases(facts.responses_lacks))}: a translated call goes as a chat.")
    if facts.replays:
        notes.append("Its models get their own earlier reasoning back.")
    if facts.tool_ids:
        notes.append("It insists on tool call ids of its own shape; they are made for it and mapped back.")
    if facts.customs:
        notes.append("It takes custom tools, whose input is free text.")
    if facts.counts:
        notes.append("It counts a prompt's tokens without generating.")
    if facts.encrypts:
        notes.append("Some of its models give out their reasoning encrypted, for callers who keep the conversation themselves.")
    if not facts.usage_option:
        notes.append("It tells a stream's usage without being asked.")
    if facts.bills_on:
        notes.append("It goes on generating, and billing, when its client leaves: such a stream is read to its end for its usage.")
    if facts.local:
        notes.append("An engine of the house: no list price exists for it, a price of its own says what it is worth.")
    return notes
