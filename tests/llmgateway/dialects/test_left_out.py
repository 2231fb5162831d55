"""What changes how an answer is made, or how wordy it is, and not what is asked: left out where there is no place for it, and told."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Text
from llmgateway.proxy.conversation.request import Message, Request
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import UNKNOWN

PROVIDERS = {"anthropic": "anthropic", "gemini": "gemini", "bedrock": "bedrock", "cohere": "cohere"}


@pytest.mark.parametrize("wire", PROVIDERS)
@pytest.mark.parametrize(
    ("slot", "value"), [("verbosity", "low"), ("prediction", {"type": "content", "content": "Hi."}), ("cache_key", "k")]
)
def test_what_only_shapes_the_making_of_an_answer_is_left_out_and_told(wire: str, slot: str, value: Any) -> None:
    hello = [Message(role="user", parts=[Text(text="Hello.")])]
    losses = Losses("the target")
    target = Target(dialect=wire, model="a-model", facts=UNKNOWN[PROVIDERS[wire]])
    DIALECTS[wire].render_request(Request(messages=hello, named={slot: f"their.{slot}"}, **{slot: value}), target, losses)
    assert losses.fields == []
    assert f"their.{slot}" in losses.hints
    losses.check(allowed=False)
