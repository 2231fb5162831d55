"""`logprobsResult` to the object of OpenAI chat, in which the conversation keeps probabilities, and back."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json


def read(result: Json) -> Json:
    """None for what is no such object."""
    if not isinstance(result, dict):
        return None
    chosen, tops = _objects(result.get("chosenCandidates")), _objects(result.get("topCandidates"))
    padded = [*tops[: len(chosen)], *({} for _ in chosen[len(tops) :])]
    return {"content": [_token(one, top) for one, top in zip(chosen, padded, strict=True)]}


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _token(chosen: dict[str, Json], top: dict[str, Json]) -> dict[str, Json]:
    return {**_one(chosen), "top_logprobs": [_one(other) for other in _objects(top.get("candidates"))]}


def _one(told: dict[str, Json]) -> dict[str, Json]:
    """Protobuf leaves zeros and empty strings out."""
    token, value = told.get("token"), told.get("logProbability")
    text = token if isinstance(token, str) else ""
    sure = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return {"token": text, "logprob": sure, "bytes": list(text.encode("utf-8", "surrogatepass"))}


def written(logprobs: Json) -> dict[str, Json] | None:
    """None where there is nothing that Gemini could tell: it has no probabilities of a refusal."""
    tokens = _objects(logprobs.get("content")) if isinstance(logprobs, dict) else []
    if not tokens:
        return None
    tops = [{"candidates": [_spell(other) for other in _objects(token.get("top_logprobs"))]} for token in tokens]
    told: dict[str, Json] = {"chosenCandidates": [_spell(token) for token in tokens]}
    if any(top["candidates"] for top in tops):
        told["topCandidates"] = tops
    return told


def _spell(token: dict[str, Json]) -> dict[str, Json]:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}
