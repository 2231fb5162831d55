"""How to call a model: texts to copy, per SDK and coding tool. The key is never in them, only the variable that holds it.

The house translates, so a model is called in any dialect, whatever is behind it; one that is never translated is called in
the dialects that its deployments speak. Sources: the SDKs' own documentation as of November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from llmgateway.models import Deployment, Model
from llmgateway.proxy.providers import CHAT, GEMINI, MESSAGES, RESPONSES, facts_of
from llmgateway.snippet import CURL, KEY_VARIABLE, SDKS, Served, Snippet
from llmgateway.tool_snippets import tools


def served_by(model: Model, deployments: Sequence[Deployment], *, base_url: str) -> Served:
    """The model as these deployments, the callable ones, serve it. Their own names for it tell what it is for."""
    providers = [row.provider for row in deployments]
    wires = {wire for row in providers for wire in facts_of(dialect=row.dialect, base_url=row.base_url, vendor=row.vendor).wires}
    names = [row.upstream_model.lower() for row in deployments]
    purpose = "chat"
    if names and all("embed" in name for name in names):
        purpose = "embeddings"
    elif names and all("realtime" in name for name in names):
        purpose = "realtime"
    return Served(base_url.rstrip("/"), model.name, frozenset(wires), translates=not model.native_only, purpose=purpose)


def snippets(model: Served) -> list[Snippet]:
    """The ways that suit the model, the likeliest first; none for a model without a deployment."""
    if not model.wires:
        return []
    if model.purpose == "embeddings":
        return [_openai_embeddings(model), *([_gemini_embeddings(model)] if model.takes(GEMINI) else []), _curl_embeddings(model)]
    if model.purpose == "realtime":
        return [_realtime(model)]
    return [make(model) for wire, make in _WAYS if model.takes(wire)] + tools(model)


def command(url: str, headers: list[str], body: object, *, streams: bool = True) -> str:
    """A curl command over several lines; the body is one quoted word of the shell."""
    quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    lines = [f"curl {'-N ' if streams else ''}{url}", *(f'  -H "{header}"' for header in [*headers, "content-type: application/json"])]
    return " \\\n".join([*lines, f"  -d '{quoted}'"])


_BEARER = f"authorization: Bearer ${KEY_VARIABLE}"
_STREAMS = "Streams the answer as server-sent events."


def _curl_chat(model: Served) -> Snippet:
    body = {"model": model.model, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
    return Snippet("curl", "Chat", CURL, "shell", _STREAMS, command(f"{model.root}/v1/chat/completions", [_BEARER], body))


def _curl_responses(model: Served) -> Snippet:
    body = {"model": model.model, "stream": True, "input": "Say hello."}
    return Snippet("curl-responses", "Responses", CURL, "shell", _STREAMS, command(f"{model.root}/v1/responses", [_BEARER], body))


def _curl_messages(model: Served) -> Snippet:
    body = {"model": model.model, "max_tokens": 256, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
    text = command(f"{model.root}/v1/messages", [f"x-api-key: ${KEY_VARIABLE}", "anthropic-version: 2023-06-01"], body)
    return Snippet("curl-messages", "Messages", CURL, "shell", _STREAMS, text)


def _curl_gemini(model: Served) -> Snippet:
    body = {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
    url = f'"{model.root}/v1beta/models/{model.model}:streamGenerateContent?alt=sse"'
    return Snippet("curl-gemini", "Gemini", CURL, "shell", _STREAMS, command(url, [f"x-goog-api-key: ${KEY_VARIABLE}"], body))


def _curl_embeddings(model: Served) -> Snippet:
    text = command(f"{model.root}/v1/embeddings", [_BEARER], {"model": model.model, "input": ["Say hello."]}, streams=False)
    return Snippet("curl", "Embeddings", CURL, "shell", "One vector for each input.", text)


def _openai(model: Served) -> Snippet:
    text = f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{model.root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
answer = client.chat.completions.create(
    model="{model.model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(answer.choices[0].message.content)"""
    return Snippet("openai", "OpenAI", SDKS, "python", "pip install openai", text)


def _openai_responses(model: Served) -> Snippet:
    text = f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{model.root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
answer = client.responses.create(model="{model.model}", input="Say hello.")
print(answer.output_text)"""
    return Snippet("openai-responses", "OpenAI Responses", SDKS, "python", "pip install openai", text)


def _anthropic(model: Served) -> Snippet:
    text = f"""\
import os
from anthropic import Anthropic

client = Anthropic(base_url="{model.root}", api_key=os.environ["{KEY_VARIABLE}"])
message = client.messages.create(
    model="{model.model}",
    max_tokens=256,
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(message.content[0].text)"""
    return Snippet("anthropic", "Anthropic", SDKS, "python", "pip install anthropic", text)


def _gemini(model: Served) -> Snippet:
    text = f"""\
import os
from google import genai

client = genai.Client(api_key=os.environ["{KEY_VARIABLE}"], http_options={{"base_url": "{model.root}"}})
answer = client.models.generate_content(model="{model.model}", contents="Say hello.")
print(answer.text)"""
    return Snippet("google-genai", "Google Gen AI", SDKS, "python", "pip install google-genai", text)


def _openai_embeddings(model: Served) -> Snippet:
    text = f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{model.root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
answer = client.embeddings.create(model="{model.model}", input=["Say hello."])
print(len(answer.data[0].embedding))"""
    return Snippet("openai", "OpenAI", SDKS, "python", "pip install openai", text)


def _gemini_embeddings(model: Served) -> Snippet:
    text = f"""\
import os
from google import genai

client = genai.Client(api_key=os.environ["{KEY_VARIABLE}"], http_options={{"base_url": "{model.root}"}})
answer = client.models.embed_content(model="{model.model}", contents="Say hello.")
print(len(answer.embeddings[0].values))"""
    return Snippet("google-genai", "Google Gen AI", SDKS, "python", "pip install google-genai", text)


def _realtime(model: Served) -> Snippet:
    text = f"""\
import asyncio, os
from openai import AsyncOpenAI

async def main():
    client = AsyncOpenAI(base_url="{model.root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
    async with client.realtime.connect(model="{model.model}") as connection:
        await connection.session.update(session={{"type": "realtime", "output_modalities": ["text"]}})
        content = [{{"type": "input_text", "text": "Say hello."}}]
        await connection.conversation.item.create(item={{"type": "message", "role": "user", "content": content}})
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "response.done":
                break

asyncio.run(main())"""
    return Snippet("realtime", "OpenAI Realtime", SDKS, "python", "pip install 'openai[realtime]'", text)


_WAYS: tuple[tuple[str, Callable[[Served], Snippet]], ...] = (
    (CHAT, _openai),
    (RESPONSES, _openai_responses),
    (MESSAGES, _anthropic),
    (GEMINI, _gemini),
    (CHAT, _curl_chat),
    (RESPONSES, _curl_responses),
    (MESSAGES, _curl_messages),
    (GEMINI, _curl_gemini),
)
