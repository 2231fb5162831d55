"""Images and files that a tool gave back, for targets whose tools answer with texts alone.

They are shown by the user, directly behind the results: nothing is lost but whose message they stand in.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, File, Image, Text, ToolResult

BELOW = "The user shows the result of this call below."
"""What a result says that holds nothing but what is shown."""


def texts_of(result: ToolResult) -> list[Text]:
    texts = [text for piece in result.content if (text := _plain(piece)) is not None]
    return texts if texts or not result.content else [Text(text=BELOW, at=result.at)]


def _plain(piece: Text | Image | File) -> Text | None:
    """A file that is plain text is a text here."""
    if isinstance(piece, File) and piece.text and not piece.citations and not piece.context:
        return Text(text=piece.text, cache=piece.cache, at=piece.at)
    return piece if isinstance(piece, Text) else None


def shown_by_user(results: list[ToolResult], losses: Losses) -> list[AnyPart]:
    """What follows the results in their user's message."""
    shown: list[AnyPart] = []
    for result in results:
        pieces = [piece for piece in result.content if _plain(piece) is None]
        if pieces:
            losses.hint(result.at)
            shown += [Text(text=f"From the result of {result.name or 'the call'} ({result.call_id}):", at=result.at), *pieces]
    return shown
