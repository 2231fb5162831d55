"""Images, sound, moderations and rankings: what makes each of these endpoints.

They are called in OpenAI's dialect and go to providers of the same one, where their bytes pass but for the model's name: a
model that is served in another dialect only is refused with `dialect_not_served`. Rankings and vectors are called in
Cohere's dialect as well, and are translated (`translation.rerank`, `translation.embed`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request
from dataplane.call import Meter
from dataplane.errors import BadRequest, HouseError
from dataplane.money import Rates
from llmgateway.proxy.body import Fields
from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.dialects.cohere.errors import KINDS, render_error
from llmgateway.proxy.dialects.endpoint import EMBED, FORWARDED, RERANK, Bounds, Endpoint
from llmgateway.proxy.dialects.errors import openai
from llmgateway.proxy.dialects.openai_chat.meter import OPENAI_FORWARDED
from llmgateway.proxy.media import sizes, told
from llmgateway.proxy.media.meters import MediaMeter
from llmgateway.proxy.media.sizes import Measure
from llmgateway.proxy.media.told import Read

IMAGES, SPEECH, TRANSCRIPTION, MODERATION = "openai-images", "openai-speech", "openai-transcription", "openai-moderation"


class Medium(NamedTuple):
    """`form`: it is called with multipart/form-data. `binary`: what it answers with is bytes that are relayed as they come,
    unless it is a stream of events. `unit` is what it may be priced by beside tokens. `names_model` False: callers may leave
    the model out."""

    endpoint: Endpoint
    measure: Measure
    read: Read
    form: bool = False
    binary: bool = False
    unit: str = ""
    names_model: bool = True

    def meter(self, *, is_json: bool, rates: Rates | None) -> Meter:
        counted = rates is None or (self.unit != "" and sizes.priced(rates, self.unit))
        return MediaMeter(self.read, is_json=is_json, draws=self.unit == "images", counted=counted)


def cohere(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    kind = KINDS.get(error.status, "server" if error.status >= 500 else "invalid")
    failure = Failure(status=error.status, kind=kind, message=error.message, code=error.code, param=error.param)
    return error.status, [JSON_TYPE], render_error(failure, request.id)


def one_model(fields: Fields) -> Bounds:
    """Raises BadRequest for an image whose vectors another model is to write: it would be one that nobody granted."""
    if "svg[model]" in fields or _names_model(fields.get("svg")):
        text = "The field svg.model names a second model, which the house does not serve. Leave it out."
        raise BadRequest(text, param="svg.model", code="not_served")
    return Bounds(None, None)


def _names_model(raw: msgspec.Raw | None) -> bool:
    if raw is None:
        return False
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    return not (isinstance(told, dict) and "model" not in told) and told is not None


def _no_bounds(fields: Fields) -> Bounds:
    return Bounds(None, None)


def _endpoint(wire: str, path: str, content: tuple[str, tuple[str, ...]] | None = None) -> Endpoint:
    return Endpoint(
        wire=wire,
        path=path,
        content=content,
        meter=_no_meter,
        refuse=openai,
        bounds=_no_bounds,
        forwarded=OPENAI_FORWARDED,
    )


def _no_meter(injected: bool) -> Meter:
    """These answers are read by `Medium.meter`, which knows what they are."""
    return Meter()


def _images(path: str, *, form: bool) -> Medium:
    endpoint = _endpoint(IMAGES, path, None if form else ("prompt", ("string",)))
    return Medium(endpoint._replace(bounds=one_model), sizes.images, told.images, form=form, unit="images")


def _heard(path: str) -> Medium:
    return Medium(_endpoint(TRANSCRIPTION, path), sizes.recording, told.sound, form=True, unit="seconds")


def _whole(wire: str, path: str, content: tuple[str, tuple[str, ...]] | None, operation: str = "") -> Endpoint:
    """Its answers are never streams of events that its caller asks for by `stream`."""
    return _endpoint(wire, path, content)._replace(streams=False, operation=operation)


def _of_cohere(medium: Medium, wire: str, path: str) -> Medium:
    return medium._replace(endpoint=medium.endpoint._replace(wire=wire, path=path, refuse=cohere, forwarded=FORWARDED))


SPOKEN = Medium(_whole(SPEECH, "/audio/speech", ("input", ("string",))), sizes.speech, told.sound, binary=True)
JUDGED = Medium(_whole(MODERATION, "/moderations", ("input", ("string", "array"))), sizes.text, told.judgement, names_model=False)
RANKED = Medium(_whole("openai-rerank", "/rerank", ("documents", ("array",)), RERANK), sizes.documents, told.ranking, unit="requests")
EMBEDDED = Medium(_whole("cohere-embed", "/v2/embed", None, EMBED), sizes.text, told.ranking)

MEDIA: dict[str, Medium] = {
    "/v1/images/generations": _images("/images/generations", form=False),
    "/v1/images/edits": _images("/images/edits", form=True),
    "/v1/images/variations": _images("/images/variations", form=True),
    "/v1/audio/speech": SPOKEN,
    "/v1/audio/transcriptions": _heard("/audio/transcriptions"),
    "/v1/audio/translations": _heard("/audio/translations"),
    "/v1/moderations": JUDGED,
    "/v1/rerank": RANKED,
    "/v2/rerank": _of_cohere(RANKED, "cohere-rerank", "/v2/rerank"),
    "/v2/embed": _of_cohere(EMBEDDED, "cohere-embed", "/v2/embed"),
}
