"""Messages, written as the flat list of items that `input` is."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Special, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, Message, Request
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_responses.content_out import ContentWriter
from llmgateway.proxy.dialects.openai_responses.names import NAME, is_chat
from llmgateway.proxy.dialects.openai_responses.namespaces import Spaced, namespaces
from llmgateway.proxy.dialects.openai_responses.own import Own


class ItemsWriter:
    def __init__(self, request: Request, target: Target, losses: Losses, own: Own) -> None:
        self._target = target
        self._losses = losses
        self._own = own
        self._content = ContentWriter(target, losses, own, owned_files=own.own or is_chat(request))
        self._spaces: dict[str, Spaced] = namespaces(request) if own.own else {}
        self._items: list[Json] = []

    def write(self, messages: list[Message]) -> list[Json]:
        for number, message in enumerate(messages):
            self._message(message, number)
        return self._own.elements(self._items, "", "input")

    def _message(self, message: Message, number: int) -> None:
        """Texts, images and files in a row are one item, where the caller did not have them in several."""
        role = self._role(message.role)
        if message.name:
            self._losses.hint(f"{message.at}.name")
        run: list[AnyPart] = []
        place = None
        ident = message.id if self._own.own else ""
        for index, part in enumerate(message.parts):
            if self._stands_alone(part):
                self._run(run, role, place, ident)
                ident = "" if run else ident
                run = []
                self._alone(part, f"call_{number}_{index}")
                continue
            here = _item_of(part.at, message.at) if self._own.own else ""
            if run and here != place:
                self._run(run, role, place, ident)
                run, ident = [], ""
            run.append(part)
            place = here
        self._run(run, role, place, ident)

    def _role(self, role: str) -> str:
        return SYSTEM if role == DEVELOPER and not self._own.own and not self._target.facts.developer else role

    def _stands_alone(self, part: AnyPart) -> bool:
        if isinstance(part, Special):
            return part.at.endswith("]") and ".content[" not in part.at
        return isinstance(part, ToolCall | ToolResult | Reasoning)

    def _run(self, parts: list[AnyPart], role: str, place: str | None, ident: str) -> None:
        said = role == ASSISTANT
        written = [value for part in parts if (value := self._content.write(part, said=said)) is not None]
        if not written:
            return
        item: dict[str, Json] = {"role": role, "content": _shortest(written)}
        if said and not isinstance(item["content"], str):
            item["type"] = "message"
        if ident:
            item["id"] = ident
        self._items.append(self._own.into(item, place or ""))

    def _alone(self, part: AnyPart, ident: str) -> None:
        match part:
            case ToolCall():
                self._items.append(self._call(part, ident))
            case ToolResult():
                self._items.append(self._result(part))
            case Reasoning():
                self._reasoning(part)
            case Special() if part.vendor == NAME:
                self._items.append(part.raw)
            case Special():
                self._losses.drop(part.at, f"it is {part.vendor}'s own {part.kind}")
            case _:
                pass
        if part.cache is not None:
            self._losses.hint(f"{part.at}.cache_control")

    def _call(self, part: ToolCall, ident: str) -> dict[str, Json]:
        spaced = self._spaces.get(part.name)
        item: dict[str, Json] = {
            "type": "custom_tool_call" if part.custom else "function_call",
            "call_id": part.id if part.id or self._own.own else ident,
            "name": spaced.name if spaced else part.name,
        }
        if part.custom:
            item["input"] = part.arguments
        else:
            item["arguments"] = part.arguments if part.arguments or self._own.own else "{}"
        if spaced:
            item["namespace"] = spaced.namespace
        if part.item_id and self._own.own:
            item["id"] = part.item_id
        return self._own.into(item, part.at)

    def _result(self, part: ToolResult) -> dict[str, Json]:
        """A failed call is told by its text alone; who knows that it failed is told that this is left out."""
        if part.is_error:
            self._losses.hint(f"{part.at}.is_error")
        values = [value for content in part.content if (value := self._content.write(content, said=False)) is not None]
        output = _shortest(self._own.elements(values, part.at, "output"))
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        return self._own.into({"type": kind, "call_id": part.call_id, "output": output}, part.at)

    def _reasoning(self, part: Reasoning) -> None:
        """Taken back with the vendor's own signature or, from a caller of this dialect, as it was; an engine that signs
        nothing takes the readable text of anybody."""
        signature = part.signature
        ours = signature is not None and signature.vendor == NAME
        plain = signature is None and (self._own.own or (bool(self._target.facts.replays) and bool(part.text)))
        if not ours and not plain:
            self._losses.hint(part.at)
            return
        item: dict[str, Json] = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in part.summary]}
        if part.text and (self._own.own or plain):
            item["content"] = [{"type": "reasoning_text", "text": part.text}]
        if part.id:
            item["id"] = part.id
        if signature is not None:
            item["encrypted_content"] = signature.value
        self._items.append(self._own.into(item, part.at))


def _item_of(at: str, otherwise: str) -> str:
    head, found, _ = at.rpartition(".content")
    return head if found else otherwise


def _shortest(written: list[dict[str, Json]]) -> Json:
    """One plain text as a string, nothing as an empty one."""
    if not written:
        return ""
    only = written[0]
    if len(written) == 1 and only.get("type") in ("input_text", "output_text"):
        said = {name for name, value in only.items() if name != "annotations" or value}
        if said == {"type", "text"}:
            return only["text"]
    return written
