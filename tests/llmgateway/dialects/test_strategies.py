"""What the strategies promise the tests that draw from them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.events import Event, Open, fold, unfold
from llmgateway.proxy.conversation.parts import ToolCall, ToolResult, same
from llmgateway.proxy.conversation.request import Request
from tests.llmgateway.dialects import strategies as drawn

varied = st.one_of(
    drawn.plain_texts(cited=True), drawn.tool_calls(drawn.loose_arguments), drawn.reasoning(), drawn.refusals, drawn.sounds, drawn.images
)


@settings(max_examples=50)
@given(st.data())
def test_a_drawn_stream_tells_the_answer_it_was_made_of(data: st.DataObject) -> None:
    answer = data.draw(drawn.answers(part=varied, most=3))

    events: list[Event] = data.draw(drawn.streams(st.just(answer)))

    told, expected = fold(events), fold(unfold(answer))
    assert same(told, expected)
    assert same(expected, answer)
    opened = [(event.candidate, event.index) for event in events if isinstance(event, Open)]
    for number in range(len(answer.candidates)):
        assert [index for candidate, index in opened if candidate == number] == list(range(len(answer.candidates[number].parts)))


@settings(max_examples=50)
@given(drawn.requests(user=drawn.plain_texts() | drawn.images | drawn.documents))
def test_drawn_tool_results_answer_the_calls_before_them(request: Request) -> None:
    called: list[str] = []
    for message in request.messages:
        answered = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        assert answered == (called if message.role == "user" else [])
        called = [part.id for part in message.parts if isinstance(part, ToolCall)]
    assert called == []
