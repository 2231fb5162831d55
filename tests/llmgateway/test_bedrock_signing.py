"""A call of Converse, signed: the model's id in the path, the region of the host, and a signature that AWS would accept."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.aws import aws_signer
from llmgateway.proxy.dialects.bedrock.paths import converse_path
from llmgateway.proxy.sigv4 import AccessKeys, signed_headers

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
STORED = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}
HOST = "https://bedrock-runtime.eu-central-1.amazonaws.com"
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/ab12"
CLAUDE = "eu.anthropic.claude-sonnet-4-6-20260115-v1:0"
BODY = b'{"messages":[]}'


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        (CLAUDE, False, "/model/eu.anthropic.claude-sonnet-4-6-20260115-v1%3A0/converse"),
        (CLAUDE, True, "/model/eu.anthropic.claude-sonnet-4-6-20260115-v1%3A0/converse-stream"),
        (
            PROFILE,
            True,
            "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%2Fab12/converse-stream",
        ),
        ("../../secrets?a=b#c", False, "/model/..%2F..%2Fsecrets%3Fa%3Db%23c/converse"),
    ],
)
def test_a_models_id_is_one_segment_of_the_path(model: str, stream: bool, path: str) -> None:
    assert converse_path(model, stream) == path


@pytest.mark.parametrize(
    ("model", "stream", "signature"),
    [
        (PROFILE, True, "9c7b4ebe5ea8fe61bc24d2a127726bd3b4a6a2cec27dc5610df69ecc06284a97"),
        (CLAUDE, False, "16d191c32b10850f587e32011071f2905578e29ebd5e4a488ec561cee9f560f6"),
    ],
)
def test_the_signature_is_the_one_that_awss_own_sdk_makes_of_the_same_call(model: str, stream: bool, signature: str) -> None:
    headers = signed_headers(
        "POST",
        HOST + converse_path(model, stream),
        keys=AccessKeys("AKIDEXAMPLE", SECRET),
        region="eu-central-1",
        service="bedrock",
        at=datetime(2026, 11, 27, 12, tzinfo=UTC),
        body=BODY,
    )
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261127/eu-central-1/bedrock/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


def verified(url: str, body: bytes, headers: dict[str, str], secret: str) -> bool:
    """What AWS does with a request that arrives: from its published algorithm, by the request alone and the secret."""
    scheme, *rest = headers["authorization"].split(" ")
    fields = dict(item.rstrip(",").split("=", 1) for item in rest)
    _, day, region, service, end = fields["Credential"].split("/")
    arrived = {**headers, "host": urlsplit(url).netloc}
    path = "/".join(quote(segment, safe="-._~") for segment in urlsplit(url).path.split("/"))
    names = fields["SignedHeaders"].split(";")
    canonical = "\n".join(
        ["POST", path, "", *(f"{name}:{arrived[name]}" for name in names), "", ";".join(names), hashlib.sha256(body).hexdigest()]
    )
    scope = f"{day}/{region}/{service}/{end}"
    text = "\n".join((scheme, arrived["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == fields["Signature"]


@given(st.from_regex(r"[a-z0-9][a-zA-Z0-9.:/_ %+~-]{0,80}", fullmatch=True), st.booleans(), st.binary(max_size=50))
def test_any_models_call_verifies_and_another_body_does_not(model: str, stream: bool, body: bytes) -> None:
    url = HOST + converse_path(model, stream)
    headers = dict(aws_signer(json.dumps(STORED), HOST)("POST", url, body))

    assert "host" not in headers, "the client sets it from the address"
    assert verified(url, body, headers, SECRET)
    assert not verified(url, body + b" ", headers, SECRET)
    assert not verified(url + "x", body, headers, SECRET)
    assert not verified(url, body, headers, SECRET + "x")


@pytest.mark.parametrize(
    ("host", "stored", "region"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", {}, "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", {}, "us-gov-west-1"),
        ("https://bedrock-runtime.eusc-de-east-1.amazonaws.eu", {}, "eusc-de-east-1"),
        ("https://vpce-0a1b-c2d3.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", {}, "ap-southeast-2"),
        ("https://bedrock.internal.example", {"region": "eu-west-3"}, "eu-west-3"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", {"region": "us-west-2"}, "us-west-2"),
        ("https://bedrock.internal.example", {}, "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_host_unless_the_keys_name_one(host: str, stored: dict[str, str], region: str) -> None:
    headers = dict(aws_signer(json.dumps(STORED | stored), host)("POST", host + converse_path(CLAUDE, False), BODY))
    assert f"/{region}/bedrock/aws4_request" in headers["authorization"]
    assert verified(host + converse_path(CLAUDE, False), BODY, headers, SECRET)


@pytest.mark.parametrize("secret", ["", "{}", '{"access_key_id":1,"secret_access_key":"b"}', "ABSKQmVkcm9jaw=="])
def test_what_are_no_keys_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError) as refused:
        aws_signer(secret, HOST)
    assert not secret or secret not in str(refused.value)
