"""Parts of a message, written as content. None: a part that can't be; why is told to the losses."""

from __future__ import annotations

import base64

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Cache, File, Image, Json, Refused, Special, Text
from llmgateway.proxy.dialects.breakpoints import takes_breakpoints
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_responses.citations import annotation
from llmgateway.proxy.dialects.openai_responses.content_in import LONG_CACHE, SOUNDS
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.own import Own

FORMATS = {media_type: form for form, media_type in SOUNDS.items()} | {"audio/x-wav": "wav", "audio/wave": "wav", "audio/mp3": "mp3"}
WEB = ("http://", "https://")


class ContentWriter:
    """`owned_files` says that file ids in the request are of this target's vendor."""

    __slots__ = ("_losses", "_owned_files", "_target", "own")

    def __init__(self, target: Target, losses: Losses, own: Own, *, owned_files: bool) -> None:
        self.own = own
        self._target = target
        self._losses = losses
        self._owned_files = owned_files

    def write(self, part: AnyPart, *, said: bool) -> dict[str, Json] | None:
        """`said`: by the model."""
        value = self._content(part, said)
        if value is None:
            return None
        self._mark(value, part.cache, part.at)
        return self.own.into(value, part.at)

    def _content(self, part: AnyPart, said: bool) -> dict[str, Json] | None:
        match part:
            case Text():
                return self._said_text(part) if said else {"type": "input_text", "text": part.text}
            case Refused() if said:
                return {"type": "refusal", "refusal": part.text}
            case Image() if not said:
                return self._image(part)
            case File() if not said:
                return self._file(part)
            case Audio() if not said:
                return self._sound(part)
            case Special() if part.vendor == NAME and isinstance(part.raw, dict):
                return dict(part.raw)
            case Special():
                return self._drop(part.at, f"it is {part.vendor}'s own {part.kind}")
            case _:
                return self._drop(part.at, f"such a part has no place in {'an answer' if said else 'a question'}")

    def _said_text(self, part: Text) -> dict[str, Json]:
        annotations = [annotation(cited, len(part.text)) for cited in part.citations]
        return {"type": "output_text", "text": part.text, "annotations": annotations}

    def _image(self, part: Image) -> dict[str, Json] | None:
        if self._lacks(part.at, "image"):
            return None
        value: dict[str, Json] = {"type": "input_image", "detail": part.detail or "auto"}
        if self.own.own and not part.detail:
            del value["detail"]
        if part.file_id:
            return self._with_id(value, part.file_id, part.at)
        if part.url and self._lacks(part.at, "image_url"):
            return None
        if part.url and not part.url.startswith(WEB) and not self.own.own:
            return self._drop(part.at, "its address is no http(s) URL")
        value["image_url"] = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
        return value

    def _file(self, part: File) -> dict[str, Json] | None:
        if self._lacks(part.at, "file"):
            return None
        if part.context:
            self._losses.drop(f"{part.at}.context")
        if part.citations:
            self._losses.drop(f"{part.at}.citations", "citations of a document can't be asked for")
        value: dict[str, Json] = {"type": "input_file"}
        if part.title:
            value["filename"] = part.title
        if part.file_id:
            return self._with_id(value, part.file_id, part.at)
        if part.url:
            if not part.url.startswith(WEB) and not self.own.own:
                return self._drop(part.at, "its address is no http(s) URL")
            if part.media_type.startswith("video/") and not self.own.own:
                return self._drop(part.at, "it takes no videos")
            value["file_url"] = part.url
            return value
        value["file_data"] = self._file_data(part)
        if not self.own.own:
            value.setdefault("filename", "document.txt" if part.text else "document.pdf")
        return value

    def _file_data(self, part: File) -> str:
        if part.text and not part.data:
            return f"data:text/plain;base64,{base64.b64encode(part.text.encode()).decode()}"
        if part.media_type:
            return f"data:{part.media_type};base64,{part.data}"
        return part.data if self.own.own else f"data:application/pdf;base64,{part.data}"

    def _sound(self, part: Audio) -> dict[str, Json] | None:
        if self._lacks(part.at, "audio"):
            return None
        form = FORMATS.get(part.media_type) or (part.media_type.removeprefix("audio/") if self.own.own else "")
        if not part.data or not form:
            return self._drop(part.at, "sound must be given as mp3 or wav data")
        return {"type": "input_audio", "input_audio": self.own.into({"data": part.data, "format": form}, f"{part.at}.input_audio")}

    def _with_id(self, value: dict[str, Json], file_id: str, at: str) -> dict[str, Json] | None:
        if not self._owned_files:
            return self._drop(at, "the id of a file is known to the vendor that keeps it alone")
        value["file_id"] = file_id
        return value

    def _mark(self, value: dict[str, Json], cache: Cache | None, at: str) -> None:
        if cache is None:
            return
        taken = self.own.own or takes_breakpoints(self._target)
        if not taken or value["type"] not in ("input_text", "input_image", "input_file"):
            self._losses.hint(f"{at}.cache_control")
            return
        mark = {"mode": "explicit"} if cache.ttl == "5m" else {"mode": "explicit", "ttl": LONG_CACHE}
        value["prompt_cache_breakpoint"] = self.own.into(mark, f"{at}.prompt_cache_breakpoint")

    def _lacks(self, at: str, what: str) -> bool:
        if what not in self._target.facts.lacks:
            return False
        self._losses.drop(at, f"{self._target.facts.label} takes no {what.replace('_', ' ')}")
        return True

    def _drop(self, at: str, why: str) -> dict[str, Json] | None:
        self._losses.drop(at, why)
        return None
