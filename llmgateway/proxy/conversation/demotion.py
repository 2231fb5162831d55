"""Instructions in the middle of a conversation, for targets that take them at its head alone.

At the head they would hold for what was said before them. So they stay where they are and are told as a user's words: they
weigh less there, never more, and the caller is told.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from llmgateway.proxy.conversation.parts import Text
from llmgateway.proxy.conversation.request import DEVELOPER, SYSTEM, USER, Message, Request


def instructions_inside(request: Request) -> list[str]:
    """Where the system and developer messages stand that are not at the head."""
    return [message.at for message in request.messages if message.role in (SYSTEM, DEVELOPER)]


def demoted(request: Request, places: Collection[str]) -> Request:
    """With those messages as the user's."""
    messages = [_demoted(message) if message.at in places else message for message in request.messages]
    return msgspec.structs.replace(request, messages=messages)


def _demoted(message: Message) -> Message:
    mark = message.role
    parts = [
        msgspec.structs.replace(part, text=f"<{mark}>\n{part.text}\n</{mark}>") if isinstance(part, Text) else part
        for part in message.parts
    ]
    return msgspec.structs.replace(message, role=USER, parts=parts)
