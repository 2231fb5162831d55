"""A caller's request, read."""

from __future__ import annotations

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json, Text
from llmgateway.proxy.conversation.request import Format, Request, Thinking
from llmgateway.proxy.dialects.openai_responses.input_in import read_input
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.names import LOGPROBS, NAMES
from llmgateway.proxy.dialects.openai_responses.tools_in import added_tools, tool_choice, tools_of

HINTS = (
    "metadata",
    "client_metadata",
    "store",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options",
    # What happens to a conversation that is too long for the model: without these it is refused instead.
    "truncation",
    "context_management",
    # It limits calls of tools that the vendor runs, and those are refused elsewhere anyway.
    "max_tool_calls",
)
"""Members that change how an answer is made, kept or billed, but not what is asked. What is neither here nor in a slot
(`previous_response_id`, `conversation`, `background`, `prompt`, `moderation`, …) is understood by this dialect alone."""


def parse_request(body: Json, model: str, stream: bool) -> Request:
    try:
        return _request(body)
    except WrongType as error:
        raise BadRequest(str(error), param=error.path or None, code="invalid_type") from None


def _request(body: Json) -> Request:
    members, found = Members(body, ""), Found()
    request = Request(
        model=members.text("model"),
        max_output=members.whole("max_output_tokens"),
        temperature=members.number("temperature"),
        top_p=members.number("top_p"),
        top_logprobs=members.whole("top_logprobs"),
        parallel_tools=members.flag("parallel_tool_calls"),
        user=members.text("user"),
        service_tier=members.text("service_tier"),
        cache_key=members.text("prompt_cache_key"),
        stream=bool(members.flag("stream")),
        tools=tools_of(members.array("tools"), "tools", found),
        tool_choice=tool_choice(members.take("tool_choice"), found),
        hints=found.hints,
        extra=found.extra,
    )
    request.tools += added_tools(body.get("input"), found)
    request.named = NAMES | found.spaces
    instructions = members.text("instructions")
    if instructions:
        request.system = [Text(text=instructions, at="instructions")]
    request.messages = read_input(members.take("input"), request, found)
    _include(members.array("include"), request, found)
    _text(members.inner("text"), request, found)
    request.thinking = _thinking(members.inner("reasoning"), found)
    members.skip("background", False)
    members.hint(found, *HINTS)
    members.rest(found)
    return request


def _include(values: list[Json], request: Request, found: Found) -> None:
    """Beside logprobs all of it is about how the vendor's own tools and reasoning are told."""
    if LOGPROBS in values:
        request.logprobs = True
    others = [value for value in values if value != LOGPROBS]
    if others:
        found.hints["include"] = others


def _text(members: Members | None, request: Request, found: Found) -> None:
    if members is None:
        return
    request.verbosity = members.text("verbosity")
    form = members.inner("format")
    if form is not None:
        request.format = _format(form)
        form.rest(found)
    members.rest(found)


def _format(members: Members) -> Format | None:
    kind = members.needed("type")
    if kind == "text":
        return Format("text")
    if kind == "json_object":
        return Format("json")
    if kind != "json_schema":
        raise WrongType(members.at("type"), "text, json_object or json_schema")
    schema = members.take("schema")
    if not isinstance(schema, dict):
        raise WrongType(members.at("schema"), "an object")
    return Format(
        "schema",
        schema=schema,
        name=members.text("name"),
        description=members.text("description"),
        strict=members.flag("strict"),
    )


def _thinking(members: Members | None, found: Found) -> Thinking | None:
    """`context` says which earlier reasoning is looked at; where it stays out altogether that is told part by part."""
    if members is None:
        return None
    thinking = Thinking(effort=members.text("effort"), show=members.text("summary"))
    older = members.text("generate_summary")
    thinking.show = thinking.show or older
    members.hint(found, "context")
    members.skip("mode", "standard")
    members.rest(found)
    return thinking if thinking.effort or thinking.show else None
