"""Messages as Anthropic takes them: a user begins, turns alternate, results stand first behind the turn that called.

A system message behind a user's turn is taken since Claude 4.8. Anywhere else, and by older models, the instruction can
not be said: as a user's words it would weigh less, at the head of the conversation it would hold for what was before it.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Json
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, USER, Message, Request
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import Block, Blocks
from llmgateway.proxy.dialects.anthropic_messages.own import Own


class Turns:
    """Writes the messages of one request. `system_turns`: whether the model takes system messages among them."""

    def __init__(self, blocks: Blocks, own: Own, losses: Losses, *, system_turns: bool) -> None:
        self._blocks = blocks
        self._own = own
        self._losses = losses
        self._system_turns = system_turns
        self._turns: list[dict[str, Json]] = []

    def write(self, request: Request) -> list[dict[str, Json]]:
        for number, message in enumerate(request.messages):
            self._add(message, request.messages, number)
        if not self._turns:
            self._losses.drop(request.field("messages"), "a conversation needs a message that says something")
        for turn in self._turns:
            if turn["role"] == USER:
                turn["content"].sort(key=_after_results)
        return self._turns

    def _add(self, message: Message, messages: list[Message], number: int) -> None:
        role = _role(message)
        why = "" if self._own.is_own else self._objection(role, messages, number)
        if why:
            self._losses.drop(message.at, why)
            return
        if message.name:
            self._losses.drop(f"{message.at}.name", "participants have no names")
        written = [block for part in message.parts if (block := self._block(part, role)) is not None]
        if not written and not (role == SYSTEM and self._own.is_own):
            return
        turn = self._turn(role)
        turn["content"] += written
        self._own.into(turn, message.at)
        if not turn["content"]:
            del turn["content"]

    def _objection(self, role: str, messages: list[Message], number: int) -> str:
        """Why a message can't stand where it does, "" when it can."""
        before = self._turns[-1]["role"] if self._turns else ""
        if role == ASSISTANT and not before:
            return "a conversation begins with the user"
        if role != SYSTEM:
            return ""
        if not self._system_turns:
            return "the model takes no instructions inside the conversation"
        later = (_role(messages[place]) for place in range(number + 1, len(messages)))
        after = next((other for other in later if other != SYSTEM), ASSISTANT)
        fits = before in (USER, SYSTEM) and after == ASSISTANT
        return "" if fits else "an instruction inside the conversation stands between a user's turn and the answer"

    def _block(self, part: AnyPart, role: str) -> Block | None:
        return self._blocks.write(part, said=role == ASSISTANT)

    def _turn(self, role: str) -> dict[str, Json]:
        """The turn that goes on, or a new one."""
        if not self._turns or self._turns[-1]["role"] != role or self._turns[-1].keys() != {"role", "content"}:
            self._turns.append({"role": role, "content": []})
        return self._turns[-1]


def _role(message: Message) -> str:
    return SYSTEM if message.role == DEVELOPER else message.role


def _after_results(block: Block) -> bool:
    return bool(block["type"] != "tool_result")
