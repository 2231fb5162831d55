"""Tools with free text for input, on their way through a target that knows functions alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import TOOL, Answer, Candidate
from llmgateway.proxy.conversation.customs import SCHEMA, CustomStream, answer_as_customs, as_custom, as_functions, custom_names
from llmgateway.proxy.conversation.events import Beat, Delta, Open, fold, unfold
from llmgateway.proxy.conversation.parts import Text, ToolCall, same
from llmgateway.proxy.conversation.request import Message, Request, Tool
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.responses_kit import CODEX, GRAMMAR, PATCH, parsed

NAMES = frozenset({"apply_patch"})


def test_a_custom_tool_becomes_a_function_that_tells_its_grammar() -> None:
    request = as_functions(parsed(CODEX))

    tool = next(tool for tool in request.tools if isinstance(tool, Tool) and tool.name == "apply_patch")
    assert (tool.custom, tool.grammar, tool.schema) == (False, None, SCHEMA)
    assert tool.description == f"Edits files.\n\nThe input must follow this lark grammar:\n{GRAMMAR}"
    assert custom_names(request) == frozenset()


def test_earlier_calls_and_results_of_it_become_those_of_a_function() -> None:
    original = parsed(CODEX)
    request = as_functions(original)

    call, result = request.messages[-2].parts[-1], request.messages[-1].parts[0]
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"input": PATCH}
    assert (call.custom, result.custom) == (False, False)
    assert original.messages[-2].parts[-1].arguments == PATCH
    assert custom_names(original) == NAMES


def test_a_request_without_custom_tools_is_left_alone() -> None:
    request = Request(tools=[Tool(name="f")], messages=[Message(role="user", parts=[Text(text="Hi")])])

    assert as_functions(request) is request


@given(drawn.texts | st.just(""))
def test_the_models_call_is_turned_back(text: str) -> None:
    call = ToolCall(id="c", name="apply_patch", arguments=json.dumps({"input": text}))
    answer = Answer(candidates=[Candidate(parts=[Text(text="So"), call], stop=TOOL)])
    back = answer_as_customs(NAMES, answer)

    assert same(back.candidates[0].parts, [Text(text="So"), ToolCall(id="c", name="apply_patch", arguments=text, custom=True)])
    stream = CustomStream(NAMES)
    assert same(fold([told for event in unfold(answer) for told in stream.tell(event)]), back)


@pytest.mark.parametrize("arguments", ["*** Begin Patch", '{"patch":"x"}', '{"input":1}', "[", ""])
def test_a_call_that_is_not_of_the_function_is_taken_for_its_text(arguments: str) -> None:
    call = as_custom(NAMES, ToolCall(id="c", name="apply_patch", arguments=arguments))

    assert (call.custom, call.arguments) == (True, arguments)


def test_calls_of_other_tools_pass() -> None:
    call = ToolCall(id="c", name="exec_command", arguments='{"input":"x"}')
    events = unfold(Answer(candidates=[Candidate(parts=[call], stop=TOOL)]))
    stream = CustomStream(NAMES)

    assert as_custom(NAMES, call) is call
    assert [told for event in events for told in stream.tell(event)] == events


def test_a_stream_lives_while_a_call_is_held() -> None:
    stream = CustomStream(NAMES)
    stream.tell(Open(0, 0, ToolCall(id="c", name="apply_patch")))

    assert stream.tell(Delta(0, 0, '{"input":')) == [Beat()]
