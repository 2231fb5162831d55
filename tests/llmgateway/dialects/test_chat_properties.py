"""What holds for any conversation in OpenAI's chat dialect, and for any JSON that claims to be one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.answer import FILTER, Answer, Candidate
from llmgateway.proxy.conversation.events import Event, Fold, fold
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Audio, Reasoning, Refused, Text, ToolCall, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.chat_kit import asked, joined, replayed, target

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOREIGN = ("anthropic", "gemini", "openai-responses", "bedrock", "cohere")

plain = drawn.plain_texts() | drawn.tool_calls()
summarized = st.builds(Reasoning, summary=st.lists(drawn.texts, min_size=1, max_size=3), id=drawn.ids, signature=drawn.signatures(FOREIGN))
signed_texts = st.builds(Text, text=drawn.texts | st.just(""), signature=drawn.signatures(FOREIGN))
signed_calls = st.builds(ToolCall, id=drawn.ids, name=drawn.names, arguments=drawn.arguments, signature=drawn.signatures(FOREIGN))
everything = st.one_of(
    drawn.plain_texts(cited=True),
    drawn.tool_calls(),
    drawn.reasoning(FOREIGN),
    drawn.open_reasoning,
    summarized,
    signed_calls,
    signed_texts,
)
caught = st.builds(Candidate, parts=st.lists(drawn.refusals, min_size=1, max_size=2), stop=st.just(FILTER))
any_usage = drawn.usages(audio=True).map(lambda usage: usage | {"cache_write_1h": 0})


def counted(usage: dict[str, int]) -> dict[str, int]:
    """This dialect has one count for what was written to a cache, and none for audio read from one."""
    written = usage["cache_write_5m"] + usage["cache_write_1h"]
    return usage | {"cache_write_5m": written, "cache_write_1h": 0}


def calls_of(candidate: Candidate) -> list[str]:
    return [part.id for part in candidate.parts if isinstance(part, ToolCall)]


def written(events: list[Event], model: str) -> bytes:
    writer = DIALECT.writer(asked(model))
    return b"".join(writer.write(event) for event in events)


def read(data: bytes) -> Fold:
    reader, folding = DIALECT.reader(), Fold()
    for event in [*reader.feed(data), *reader.finish()]:
        folding.add(event)
    return folding


@QUICK
@given(drawn.answers(part=drawn.plain_texts(cited=True) | drawn.tool_calls(), most=3, usage=any_usage))
def test_an_answer_is_read_back_as_it_was_told(answer: Answer) -> None:
    rendered = DIALECT.render_answer(answer, asked(answer.model))

    again = DIALECT.parse_answer(json.loads(msgspec.json.encode(rendered)))
    ChatCompletion.model_validate(rendered)
    assert again.usage == counted(answer.usage)
    assert (again.id, again.model, again.created) == (answer.id, answer.model, answer.created)
    for said, heard in zip(answer.candidates, again.candidates, strict=True):
        texts_first = sorted(said.parts, key=lambda part: isinstance(part, ToolCall))
        assert joined(heard.parts) == joined(texts_first)
        assert heard.stop == said.stop


@QUICK
@given(drawn.candidates(part=everything, most=6))
def test_what_a_caller_sends_back_has_every_signature_in_its_place(candidate: Candidate) -> None:
    rendered = DIALECT.render_answer(Answer(candidates=[candidate]), asked())

    again = replayed(rendered["choices"][0]["message"], calls_of(candidate))

    assert shaped(again) == shaped(candidate.parts)


def shaped(parts: list[Any]) -> list[Any]:
    """Reasoning with how much was said and called before it, the calls, the text, and what is signed of it. The order of a
    text and a call with no reasoning between them is not kept."""
    thoughts, called, text, signed = [], [], "", []
    for part in parts:
        bare = msgspec.structs.replace(part, at="")
        if isinstance(part, Reasoning):
            thoughts.append((bare, len(text), len(called)))
        elif isinstance(part, ToolCall):
            called.append(bare)
        else:
            signed += [(len(text), part.signature)] if part.signature is not None else []
            text += part.text
    return [thoughts, called, text, signed]


@QUICK
@given(drawn.streams(drawn.answers(part=plain, most=3, usage=any_usage)))
def test_a_stream_is_read_back_as_it_was_told(events: list[Event]) -> None:
    answer = fold(events)

    data = written(events, answer.model)
    again = read(data)

    assert again.done
    assert again.answer.usage == counted(answer.usage)
    for said, heard in zip(answer.candidates, again.answer.candidates, strict=True):
        assert calls(heard) == calls(said)
        assert content(heard) == content(said)
        assert heard.stop == said.stop
    assert_sdk(data, answer)


def calls(candidate: Candidate) -> list[ToolCall]:
    return [part for part in candidate.parts if isinstance(part, ToolCall)]


def content(candidate: Candidate) -> str:
    return "".join(part.text for part in candidate.parts if not isinstance(part, ToolCall | Audio | Reasoning))


def assert_sdk(data: bytes, answer: Answer) -> None:
    state = ChatCompletionStreamState()
    for event in data.split(b"\n\n"):
        if event.startswith(b"data: {"):
            state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(event[6:])))
    assert data.endswith(b"data: [DONE]\n\n")
    assert data.count(b"data: [DONE]") == 1
    completion = state.current_completion_snapshot
    for choice, candidate in zip(completion.choices, answer.candidates, strict=True):
        assert (choice.message.content or "") == content(candidate)
        assert [call.id for call in choice.message.tool_calls or []] == calls_of(candidate)


@QUICK
@given(st.data())
def test_a_stream_that_is_sent_back_says_what_the_whole_answer_says(data: st.DataObject) -> None:
    answer = data.draw(drawn.answers(part=everything))
    events = data.draw(drawn.streams(st.just(answer)))
    state = ChatCompletionStreamState()
    for event in written(events, answer.model).split(b"\n\n"):
        if event.startswith(b"data: {"):
            state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(event[6:])))

    message = state.current_completion_snapshot.choices[0].message.model_dump(exclude_none=True)

    rendered = DIALECT.render_answer(answer, asked(answer.model))["choices"][0]["message"]
    called = calls_of(answer.candidates[0])
    assert shaped(replayed(without_places(message), called)) == shaped(replayed(rendered, called))


def without_places(message: Any) -> Any:
    """The SDK keeps `index`, and adds what it has parsed."""
    for call in message.get("tool_calls") or []:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return message


@QUICK
@given(caught)
def test_a_refusal_is_told_as_openai_tells_it(candidate: Candidate) -> None:
    rendered = DIALECT.render_answer(Answer(candidates=[candidate]), asked())

    again = DIALECT.parse_answer(rendered).candidates[0]

    assert rendered["choices"][0]["finish_reason"] == "stop"
    assert joined(again.parts) == joined(list(candidate.parts))
    assert again.stop == FILTER
    assert isinstance(again.parts[0], Refused)


OPENAI_SLOTS = sorted(set(drawn.SLOTS) - {"top_k", "min_p"})
requests = drawn.requests(
    user=drawn.plain_texts() | drawn.images | drawn.detailed_images | drawn.sounds | drawn.documents, assistant=plain, said=OPENAI_SLOTS
)


@QUICK
@given(requests)
def test_a_request_is_read_back_as_it_was_asked(request: Request) -> None:
    losses = Losses("")
    body = DIALECT.render_request(request, target("openai", request.model), losses)

    again = DIALECT.parse_request(json.loads(msgspec.json.encode(body)), "", False)

    assert (losses.fields, losses.hints) == ([], [])
    assert same(comparable(again), comparable(request))


def comparable(request: Request) -> Request:
    """Texts before calls, as one: an assistant's message has no other order. Its usage is always asked for."""
    made = msgspec.structs.replace(request, named={}, stream_usage=False)
    made.messages = [
        msgspec.structs.replace(message, parts=sorted(message.parts, key=lambda part: isinstance(part, ToolCall)))
        for message in request.messages
    ]
    return made


json_bodies = st.fixed_dictionaries(
    {},
    optional={
        name: drawn.json_values | st.lists(st.dictionaries(st.sampled_from(("role", "content", "type", "text")), drawn.json_values))
        for name in ("messages", "tools", "model", "stop", "tool_choice", "response_format", "stream_options", "reasoning", "choices")
    },
)


def refused(body: Any) -> BadRequest | None:
    try:
        DIALECT.parse_request(body, "", False)
    except BadRequest as error:
        return error
    return None


@QUICK
@given(drawn.json_values | json_bodies)
def test_no_json_is_worse_than_a_bad_request(body: Any) -> None:
    error = refused(body)

    if error is None:
        request = DIALECT.parse_request(body, "", False)
        assert isinstance(DIALECT.render_request(request, target("openai"), Losses("")), dict)
    else:
        assert error.code == "invalid_type"


MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(("system", "developer", "user", "assistant", "tool", "function"))},
    optional={
        name: drawn.json_values | st.lists(drawn.json_objects, max_size=2)
        for name in (
            "content",
            "tool_calls",
            "tool_call_id",
            "name",
            "reasoning_details",
            "refusal",
            "audio",
            "annotations",
            "function_call",
        )
    },
)


@QUICK
@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_no_message_is_worse_than_a_bad_request(messages: list[Any]) -> None:
    error = refused({"messages": messages})

    if error is None:
        request = DIALECT.parse_request({"messages": messages}, "", False)
        assert DIALECT.render_request(request, target("groq"), Losses(""))["messages"] is not None
    else:
        assert error.param is not None
        assert error.param.startswith("messages[")


def unreadable(body: Any) -> bool:
    try:
        return not DIALECT.parse_answer(body).candidates
    except Unreadable:
        return True


@QUICK
@given(drawn.json_values | json_bodies)
def test_json_without_choices_is_no_answer(body: Any) -> None:
    if isinstance(body, dict) and isinstance(body.get("choices"), list) and body["choices"]:
        body["choices"] = [choice for choice in body["choices"] if not isinstance(choice, dict) or "message" not in choice]

    assert unreadable(body)


@QUICK
@given(st.lists(st.fixed_dictionaries({"message": MESSAGES}), min_size=1, max_size=2))
def test_no_choice_is_worse_than_unreadable(choices: list[Any]) -> None:
    assert unreadable({"choices": choices}) or len(DIALECT.parse_answer({"choices": choices}).candidates) == len(choices)


def folded(data: bytes) -> Fold:
    reader, folding = DIALECT.reader(), Fold()
    try:
        for event in [*reader.feed(data), *reader.finish()]:
            folding.add(event)
    except Unreadable:
        return Fold()
    return folding


@QUICK
@given(st.lists(st.fixed_dictionaries({"delta": MESSAGES}) | drawn.json_values, max_size=3))
def test_no_event_is_worse_than_unreadable(choices: list[Any]) -> None:
    data = b"data: " + msgspec.json.encode({"id": "x", "choices": choices}) + b"\n\n"

    assert not folded(data).done


@QUICK
@given(st.integers(400, 599), st.binary(max_size=64) | drawn.json_values.map(msgspec.json.encode))
def test_any_error_body_is_a_failure_of_its_status(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)

    assert failure.status == status
    assert failure.message
    assert json.loads(DIALECT.render_error(failure, "r-1"))["error"]["request_id"] == "r-1"
