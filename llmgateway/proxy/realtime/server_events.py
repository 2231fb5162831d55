"""What the gateway reads of a provider's realtime events. Whatever it can't read is relayed all the same."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.realtime.events import UNREADABLE, Fields, Message, max_output_of
from llmgateway.proxy.realtime.usage import ResponseUsage, TranscriptUsage, from_response, from_transcript

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


class Head(msgspec.Struct):
    type: str = ""


class Begun(msgspec.Struct):
    id: str = ""


class Created(msgspec.Struct):
    response: Begun = msgspec.field(default_factory=Begun)


class Ended(msgspec.Struct):
    """`usage` stays raw: one that can't be true must not hide that the response has ended."""

    id: str = ""
    status: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class Done(msgspec.Struct):
    response: Ended = msgspec.field(default_factory=Ended)


class Delta(msgspec.Struct):
    response_id: str = ""
    delta: str = ""


class Told(msgspec.Struct):
    event_id: str | None = None


class Failed(msgspec.Struct):
    error: Told = msgspec.field(default_factory=Told)


class Transcribed(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Transcription(msgspec.Struct):
    model: str | None = None


class _Input(msgspec.Struct):
    transcription: _Transcription | None = None


class _Audio(msgspec.Struct):
    input: _Input | None = None


class _Session(msgspec.Struct):
    audio: _Audio | None = None
    input_audio_transcription: _Transcription | None = None


class Configured(msgspec.Struct):
    """`session.created` and `session.updated`."""

    session: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def max_output(self) -> int | None:
        try:
            return max_output_of(_members.decode(self.session))
        except UNREADABLE:
            return None

    @property
    def transcribed_by(self) -> str:
        """The provider's model that writes down what is said; "" for none."""
        try:
            session = _sessions.decode(self.session)
        except UNREADABLE:
            return ""
        audio = session.audio.input if session.audio is not None else None
        found = (audio.transcription if audio is not None else None) or session.input_audio_transcription
        return (found.model or "") if found is not None else ""


ServerEvent = Created | Done | Delta | Failed | Transcribed | Configured

_heads = msgspec.json.Decoder(Head)
_members = msgspec.json.Decoder(Fields)
_sessions = msgspec.json.Decoder(_Session)
_response_usage = msgspec.json.Decoder(ResponseUsage | None)
_transcript_usage = msgspec.json.Decoder(TranscriptUsage | None)
_KINDS: dict[str, msgspec.json.Decoder[ServerEvent]] = {
    "response.created": msgspec.json.Decoder(Created),
    "response.done": msgspec.json.Decoder(Done),
    "error": msgspec.json.Decoder(Failed),
    TRANSCRIBED: msgspec.json.Decoder(Transcribed),
    "session.created": msgspec.json.Decoder(Configured),
    "session.updated": msgspec.json.Decoder(Configured),
}
_deltas: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(Delta)


def server_event(message: Message) -> tuple[str, ServerEvent | None]:
    """Its type and what is read of it; ("", None) for what is no event."""
    try:
        kind = _heads.decode(message).type
        decoder = _KINDS.get(kind)
        if decoder is None and kind.startswith("response.") and kind.endswith(".delta"):
            decoder = _deltas
        return kind, decoder.decode(message) if decoder is not None else None
    except UNREADABLE:
        return "", None


def usage_of(done: Ended) -> Usage | None:
    """None where it is not told, or can't be true."""
    try:
        told = _response_usage.decode(done.usage)
    except UNREADABLE:
        return None
    return from_response(told) if told is not None else None


def usage_of_transcript(event: Transcribed) -> Usage | None:
    try:
        told = _transcript_usage.decode(event.usage)
    except UNREADABLE:
        return None
    return from_transcript(told) if told is not None else None
