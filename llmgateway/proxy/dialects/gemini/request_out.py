"""Writes a request as a generateContent body for Gemini or Vertex."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Json, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, Message, Request, Tool, VendorTool
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.gemini import signatures
from llmgateway.proxy.dialects.gemini.config_out import counts_thoughts, tier, write_choice, write_config
from llmgateway.proxy.dialects.gemini.grafts import graft
from llmgateway.proxy.dialects.gemini.names import VENDOR, made_id
from llmgateway.proxy.dialects.gemini.parts_out import Scene, write_part
from llmgateway.proxy.dialects.gemini.request_in import GOOGLE_SCHEMA, JSON_SCHEMA
from llmgateway.proxy.dialects.gemini.results import in_order_of_calls
from llmgateway.proxy.dialects.gemini.schemas import from_json_schema

HOMES = ("contents", "systemInstruction", "system_instruction")


def came_in_this_dialect(request: Request) -> bool:
    """Whether the request was read from this dialect: its parts then stand under names that no other has."""
    places = [message.at for message in request.messages] + [text.at for text in request.system]
    return any(place.startswith(HOMES) for place in places)


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    return _Writing(request, target, losses).body()


class _Writing:
    """One request being written. `_placed` are the objects written so far, by where their like stood in the caller's body."""

    __slots__ = ("_losses", "_own", "_placed", "_request", "_scene", "_target")

    def __init__(self, request: Request, target: Target, losses: Losses) -> None:
        self._request, self._target, self._losses = request, target, losses
        self._own = came_in_this_dialect(request)
        self._placed: dict[str, dict[str, Json]] = {}
        parts = [part for message in request.messages for part in message.parts]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        names = {call.id: call.name for call in calls}
        made = frozenset(_made_ids(parts)) if self._own else frozenset[str]()
        self._scene = Scene(target, losses, names, self._own, made)

    def body(self) -> dict[str, Json]:
        request = self._request
        body: dict[str, Json] = {"contents": self._contents()}
        texts = [written for text in request.system if (written := self._part(text)) is not None]
        if texts:
            body["systemInstruction"] = {"parts": texts}
        tools = self._tools()
        if tools:
            body["tools"] = tools
        if request.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": write_choice(request.tool_choice)}
            self._tell_choice(request.tool_choice.mode, request.tool_choice.names)
        config = write_config(request, self._target, self._losses, own=self._own)
        if config:
            body["generationConfig"] = config
        service = tier(request, self._losses, own=self._own)
        if service:
            body["serviceTier"] = service
        self._put_back(body)
        return body

    def _tell_choice(self, mode: str, names: list[str]) -> None:
        if names and mode not in ("any", "tool"):
            self._losses.drop(self._request.field("tool_choice"), "only a call that must be made can be limited to some tools")

    def _put_back(self, body: dict[str, Json]) -> None:
        """What has no slot goes back into a body of the same dialect; for every other it is lost."""
        for path, value in self._request.extra.items():
            if not (self._own and graft(body, path, value, placed=self._placed)):
                self._losses.drop(path)
        for path, value in self._request.hints.items():
            if not (self._own and graft(body, path, value, placed=self._placed)):
                self._losses.hint(path)

    # -- contents

    def _contents(self) -> list[dict[str, Json]]:
        contents: list[dict[str, Json]] = []
        for message in self._request.messages:
            if message.role in (SYSTEM, DEVELOPER):
                self._losses.drop(message.at, "instructions can only stand before the conversation")
                continue
            if message.name:
                self._losses.hint(f"{message.at}.name")
            role = "model" if message.role == ASSISTANT else "user"
            for place, parts in self._runs(message):
                self._add(contents, role, place, parts)
        return contents

    def _runs(self, message: Message) -> list[tuple[str, list[AnyPart]]]:
        """The contents that a message was made of, where it came in this dialect."""
        if not self._own or not message.parts:
            return [(message.at, in_order_of_calls(message.parts, list(self._scene.names)))]
        runs: list[tuple[str, list[AnyPart]]] = []
        for part in message.parts:
            place = part.at.rpartition(".")[0] or message.at
            if not runs or runs[-1][0] != place:
                runs.append((place, []))
            runs[-1][1].append(part)
        return runs

    def _add(self, contents: list[dict[str, Json]], role: str, place: str, parts: list[AnyPart]) -> None:
        written = [one for part in parts if not self._says_nothing(part) and (one := self._part(part)) is not None]
        if not written and not all(self._says_nothing(part) for part in parts):
            return
        if role == "model":
            self._excuse_calls(parts, written)
        if contents and contents[-1]["role"] == role and not self._own:
            contents[-1]["parts"] += written
            return
        content: dict[str, Json] = {"role": role, "parts": written or [{"text": ""}]}
        self._placed[place] = content
        contents.append(content)

    def _says_nothing(self, part: AnyPart) -> bool:
        """Empty texts stand beside tool calls in other dialects; Google refuses them. Its own are what a stream left."""
        return not self._own and isinstance(part, Text) and not part.text

    def _part(self, part: AnyPart) -> dict[str, Json] | None:
        written = write_part(part, self._scene)
        if written is not None and part.at:
            self._placed[part.at] = written
        return written

    def _excuse_calls(self, parts: list[AnyPart], written: list[dict[str, Json]]) -> None:
        """Marks the first call of a message as one that another vendor's model made."""
        foreign = any(part.signature is not None and part.signature.vendor != VENDOR for part in parts)
        if counts_thoughts(self._target.model) or (self._own and not foreign):
            return
        first = next((one for one in written if "functionCall" in one), None)
        if first is not None:
            first.setdefault("thoughtSignature", signatures.UNCHECKED)

    # -- tools

    def _tools(self) -> list[dict[str, Json]]:
        """Functions stand together in one entry, or in the entries in which they came."""
        entries: list[dict[str, Json]] = []
        known: dict[str, dict[str, Json]] = {}
        for tool in self._request.tools:
            place = tool.at.rpartition(".")[0] if self._own else ""
            if isinstance(tool, VendorTool):
                written = self._vendor_tool(tool)
                if written is not None:
                    self._entry(entries, known, place if self._own else tool.at).update(written)
                continue
            declared = self._declaration(tool)
            if declared is not None:
                self._entry(entries, known, place).setdefault("functionDeclarations", []).append(declared)
        return entries

    @staticmethod
    def _entry(entries: list[dict[str, Json]], known: dict[str, dict[str, Json]], place: str) -> dict[str, Json]:
        if place not in known:
            known[place] = {}
            entries.append(known[place])
        return known[place]

    def _vendor_tool(self, tool: VendorTool) -> dict[str, Json] | None:
        if tool.vendor == VENDOR and isinstance(tool.raw, dict):
            return dict(tool.raw)
        self._losses.drop(tool.at, f"the tool {tool.kind} is another vendor's own")
        return None

    def _declaration(self, tool: Tool) -> dict[str, Json] | None:
        if tool.custom:
            self._losses.drop(tool.at, "a tool's input must be a JSON object")
            return None
        if tool.cache is not None:
            self._losses.hint(f"{tool.at}.cache_control")
        if tool.strict:
            self._losses.hint(f"{tool.at}.strict")
        declared: dict[str, Json] = {"name": tool.name}
        if tool.description:
            declared["description"] = tool.description
        if tool.schema is not None:
            google = self._request.named.get(f"{tool.at}.schema") == GOOGLE_SCHEMA
            declared[GOOGLE_SCHEMA if google else JSON_SCHEMA] = from_json_schema(tool.schema) if google else tool.schema
        self._placed[tool.at] = declared
        return declared


def _made_ids(parts: list[AnyPart]) -> list[str]:
    """The ids that were made by place when the request was read, on calls and on answers to them."""
    ids = [part.id if isinstance(part, ToolCall) else part.call_id for part in parts if isinstance(part, ToolCall | ToolResult)]
    places = {_place_id(part.at) for part in parts}
    return [given for given in ids if given in places]


def _place_id(at: str) -> str:
    numbers = [piece.partition("]")[0] for piece in at.split("[")[1:3]]
    return made_id(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and all(number.isdigit() for number in numbers) else ""
