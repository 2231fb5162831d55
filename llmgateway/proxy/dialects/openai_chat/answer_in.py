"""A whole chat completion, read."""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.members import Members, unreadable
from llmgateway.proxy.dialects.openai_chat.assistant_in import assistant
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, keep
from llmgateway.proxy.dialects.openai_chat.errors import failure_of
from llmgateway.proxy.dialects.openai_chat.stops import FAILED, calls, read_stop, refuses
from llmgateway.proxy.dialects.openai_chat.usage import read_usage


def parse_answer(body: Json) -> Answer:
    """Raises Unreadable; an error under a status of success is one, told by its message."""
    members = Members(body, "", unreadable)
    told(members.take("error"))
    choices = members.each("choices")
    if not choices:
        raise Unreadable("an answer without choices")
    answer = Answer(id=members.text("id"), model=members.text("model"), created=created(members))
    answer.usage, answer.service_tier = read_usage(members.take("usage")), members.text("service_tier")
    members.take("object")
    rest = Rest({}, {})
    numbered = sorted((choice.integer("index") or 0, place) for place, choice in enumerate(choices))
    answer.candidates = [_candidate(choices[place], stem(answer.id, number), rest) for number, (_, place) in enumerate(numbered)]
    keep(members, rest)
    answer.extra = rest.extra | rest.hints
    return answer


def told(error: Json) -> None:
    if error:
        failure = failure_of({"error": error}, 0)
        raise Unreadable(f"an error in place of an answer: {failure.message}")


def created(members: Members) -> int:
    """Unix time. A few vendors give it with a fraction."""
    return int(members.number("created") or 0)


def _candidate(choice: Members, stem_: str, rest: Rest) -> Candidate:
    word = choice.text("finish_reason")
    told(choice.take("error"))
    if word == FAILED:
        raise Unreadable("an answer that ended in an error")
    message = choice.needed("message")
    message.text("role")
    parts = assistant(message, rest, stem=stem_, unsealed=False)
    stop, native = read_stop(word, choice.text("native_finish_reason"), refused=refuses(parts), called=calls(parts))
    candidate = Candidate(parts=parts, stop=stop, native_stop=native, logprobs=logprobs(choice))
    keep(choice, rest)
    return candidate


def logprobs(choice: Members) -> dict[str, Json] | None:
    """Lists by name; None when there are none."""
    inner = choice.inner("logprobs")
    held = {name: inner.array(name) for name in inner.names} if inner is not None else {}
    return held or None


def stem(answer_id: str, candidate: int) -> str:
    """Begins the ids of calls that came without one: the same for a stream and for a whole answer, another in each turn."""
    made = "".join(character for character in answer_id if character.isalnum())
    return f"call_{made}_{candidate}" if candidate else f"call_{made}"
