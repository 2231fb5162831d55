"""AWS's own published test vectors of Signature Version 4 (suite aws-sig-v4-test-suite)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmgateway.proxy.sigv4 import AccessKeys, signed_headers

KEYS = AccessKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
    ids=["get-vanilla", "get-vanilla-query-order-key-case"],
)
def test_a_get_is_signed_as_aws_signs_it(path: str, signature: str) -> None:
    headers = signed_headers("GET", f"https://example.amazonaws.com{path}", keys=KEYS, region="us-east-1", service="service", at=AT)
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


def test_a_post_without_a_body_is_signed_as_aws_signs_it() -> None:
    headers = signed_headers("POST", "https://example.amazonaws.com/", keys=KEYS, region="us-east-1", service="service", at=AT)
    assert headers["authorization"].endswith("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")


def test_a_session_token_is_sent_and_signed_and_no_secret_is_shown() -> None:
    keys = AccessKeys("AKIDEXAMPLE", "top-secret", "the-token")
    headers = signed_headers("GET", "https://example.amazonaws.com/", keys=keys, region="us-east-1", service="service", at=AT)
    assert headers["x-amz-security-token"] == "the-token"
    assert "host;x-amz-date;x-amz-security-token" in headers["authorization"]
    assert "top-secret" not in repr(keys)
    assert "the-token" not in repr(keys)
