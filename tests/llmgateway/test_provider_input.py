"""What is accepted as a provider's address, headers and credential, and as names."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.validators import MODEL_NAME, clean_base_url, clean_credential, clean_headers
from llmgateway.vendors import VENDORS, guess_vendor


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("  https://API.OpenAI.com/v1/ ", "https://api.openai.com/v1"),
        ("https://openrouter.ai:8443/api/v1", "https://openrouter.ai:8443/api/v1"),
        ("https://8.8.8.8/v1", "https://8.8.8.8/v1"),
        ("https://[2606:4700::1111]/v1", "https://[2606:4700::1111]/v1"),
    ],
)
def test_a_public_address_is_stored_in_one_spelling(written: str, stored: str) -> None:
    assert clean_base_url(written, allow_private_network=False) == stored


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "http"),
        ("api.openai.com/v1", "http"),
        ("ftp://api.openai.com", "http"),
        ("https://user:pass@api.openai.com/v1", "user name or password"),
        ("https://api.openai.com/v1?key=abc", "after ? or #"),
        ("https://api.openai.com/v1#x", "after ? or #"),
        ("https://api.openai.com/v1?", "after ? or #"),
        ("https://api.openai.com/../admin", ".."),
        ("https://api.openai.com\\@evil.example/", "backslash"),
        ("https://bücher.example/v1", "xn--"),
        ("https://2130706433/v1", "dotted quad"),
        ("https://0x7f.1/v1", "dotted quad"),
        ("https://api.openai.com:0/v1", "Port 0"),
        ("http://api.openai.com/v1", "https"),
    ],
)
def test_an_address_that_could_be_misread_is_refused_with_what_to_write(url: str, hint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        clean_base_url(url, allow_private_network=False)
    assert hint in " ".join(refused.value.messages)


PRIVATE = [
    "https://localhost/v1",
    "https://127.0.0.1/v1",
    "https://10.1.2.3",
    "https://[::1]/v1",
    "https://gpu.internal/v1",
    "https://192.168.1.5",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_needs_the_admin_to_say_so(url: str) -> None:
    with pytest.raises(ValidationError, match="allow private network"):
        clean_base_url(url, allow_private_network=False)
    assert clean_base_url(url, allow_private_network=True) == url
    assert clean_base_url(url.replace("https", "http"), allow_private_network=True).startswith("http://")


@pytest.mark.parametrize("host", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "[fe80::1]", "[ff02::1]", "[::ffff:169.254.169.254]"])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_metadata_or_link_local_address_is_refused_whatever_is_ticked(host: str, allowed: bool) -> None:
    with pytest.raises(ValidationError):
        clean_base_url(f"http://{host}/v1", allow_private_network=allowed)


@given(st.text(max_size=80))
def test_whatever_is_typed_as_an_address_is_refused_or_stays_the_same_when_cleaned_again(text: str) -> None:
    try:
        stored = clean_base_url(text, allow_private_network=True)
    except ValidationError:
        return
    assert clean_base_url(stored, allow_private_network=True) == stored


def test_extra_headers_are_kept_by_lower_case_name() -> None:
    assert clean_headers({"OpenAI-Project": " p1 "}) == {"openai-project": "p1"}
    assert clean_headers(None) == {}


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({"Authorization": "Bearer x"}, "credential"),
        ({"X-Api-Key": "x"}, "credential"),
        ({"Host": "evil.example"}, "gateway itself"),
        ({"content-length": "1"}, "gateway itself"),
        ({"x-customhouse-route": "a"}, "gateway itself"),
        ({"x-a": "b\r\nx-b: c"}, "printable"),
        ({"x a": "b"}, "not a header"),
        ({"x-a": 5}, "not a header"),
        ({"x-a": "1", "X-A": "2"}, "twice"),
        ({f"x-{n}": "1" for n in range(21)}, "At most 20"),
        (["x-a"], "JSON object"),
    ],
)
def test_a_header_that_could_break_or_leak_is_refused(headers: object, hint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        clean_headers(headers)  # type: ignore[arg-type]
    assert hint in " ".join(refused.value.messages)


def test_a_pasted_credential_loses_its_line_break() -> None:
    assert clean_credential(" sk-abc\n") == "sk-abc"
    assert clean_credential('{"access_key_id": "A", "secret_access_key": "B"}').startswith("{")


@pytest.mark.parametrize(
    "secret", ["", "   ", "sk abc", "sk-\x00abc", "sk-äbc", "{broken", "[1]\n[2]", "x" * 16385, "env:OPENAI_API_KEY", "file:/run/key"]
)
def test_what_is_no_credential_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        clean_credential(secret)
    message = " ".join(refused.value.messages)
    assert not secret.strip() or secret.strip() not in message


@pytest.mark.parametrize("name", ["gpt-4o-mini", "openai/gpt-4o", "meta-llama/Llama-3.3-70B:free", "claude@20250101", "a"])
def test_the_names_that_vendors_use_are_names_here(name: str) -> None:
    MODEL_NAME(name)


@pytest.mark.parametrize("name", ["", "-a", "a/", "a b", "a\n", "a?b", "a#b", "ä", 'a"b', "<script>"])
def test_a_name_that_breaks_out_of_a_url_or_a_snippet_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        MODEL_NAME(name)


@pytest.mark.parametrize("vendor", [row for row in VENDORS if "<" not in row.base_url], ids=lambda row: row.slug)
def test_every_vendor_is_recognised_by_the_address_that_is_suggested_for_it(vendor: object) -> None:
    assert guess_vendor(vendor.base_url) == vendor.price_list  # type: ignore[attr-defined]
    assert clean_base_url(vendor.base_url, allow_private_network=False) == vendor.base_url  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "vendor"),
    [
        ("https://acme.openai.azure.com/openai/v1", "azure"),
        ("https://bedrock-runtime.eu-central-1.amazonaws.com", "aws"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://api.openai.com.evil.example/v1", ""),
        ("https://evil.example/api.openai.com", ""),
        ("http://127.0.0.1:11434/v1", ""),
    ],
)
def test_a_vendor_is_told_by_its_whole_host_name(url: str, vendor: str) -> None:
    assert guess_vendor(url) == vendor


def test_the_vendors_are_those_of_the_price_catalogue() -> None:
    from genai_prices.data import providers

    assert {row.price_list for row in VENDORS} <= {row.id for row in providers}
