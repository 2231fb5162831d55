"""Engines that run in the house, by the wires that they serve. No address tells them: a provider names its engine."""

from __future__ import annotations

from llmgateway.proxy.facts import CHAT, MESSAGES, RESPONSES, Facts, names

LOCAL_VENDORS: tuple[Facts, ...] = (
    Facts(
        "ollama",
        "Ollama",
        r"ollama",
        "http://127.0.0.1:11434/v1",
        docs="docs.ollama.com/api/openai-compatibility",
        local=True,
        wires=(CHAT, RESPONSES),
        lacks=names("image_url file audio modalities prediction tool_choice logit_bias answers user verbosity"),
        responses_lacks=names("format logprobs top_logprobs"),
        replays="reasoning",
    ),
    Facts(
        "ollama-anthropic",
        "Ollama, Anthropic-compatible",
        r"ollama",
        "http://127.0.0.1:11434",
        "anthropic",
        docs="docs.ollama.com/api/anthropic-compatibility",
        local=True,
        wires=(MESSAGES,),
        lacks=names("image_url file tool_choice"),
        prices="ollama",
    ),
    Facts(
        "vllm",
        "vLLM",
        r"vllm",
        "http://127.0.0.1:8000/v1",
        docs="docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        local=True,
        wires=(CHAT, RESPONSES),
        adds=names("top_k min_p"),
        replays="reasoning",
    ),
    Facts(
        "vllm-anthropic",
        "vLLM, Anthropic-compatible",
        r"vllm",
        "http://127.0.0.1:8000",
        "anthropic",
        docs="docs.vllm.ai/en/latest/serving/integrations/claude_code.html",
        local=True,
        wires=(MESSAGES,),
        prices="vllm",
    ),
)
"""No list price exists for them, an override says what an hour of theirs is worth."""
