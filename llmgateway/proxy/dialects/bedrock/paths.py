"""Where a model of Amazon Bedrock answers: its id stands in the path."""

from __future__ import annotations

from urllib.parse import quote


def converse_path(model: str, stream: bool) -> str:
    """A model's id, an inference profile's or an ARN, in one segment: its colons and slashes are encoded as AWS's own SDKs
    encode them. A signature is made of the path as it is sent here, encoded once more."""
    return f"/model/{quote(model, safe='-._~')}/{'converse-stream' if stream else 'converse'}"
