"""The rules both planes share. That nothing forbidden is reached over a socket is proved in tests/adminkit/test_outbound.py."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.addresses import AddressRefused, check_addresses, check_url, forbidden


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://api.example.com/v1", ("https", "api.example.com", 443)),
        ("http://API.Example.com.:8080", ("http", "api.example.com", 8080)),
        ("http://127.0.0.1:9000/mcp", ("http", "127.0.0.1", 9000)),
        ("http://[2606:4700::1111]/", ("http", "2606:4700::1111", 80)),
        ("http://[::1]:3000?x=@y", ("http", "::1", 3000)),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443)),
        ("http://ollama:11434", ("http", "ollama", 11434)),
        ("http://my_service-1:80", ("http", "my_service-1", 80)),
        ("https://example.com:/", ("https", "example.com", 443)),
    ],
)
def test_a_plain_url_gives_its_scheme_host_and_port(url: str, parts: tuple[str, str, int]) -> None:
    assert check_url(url) == parts


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://example.com", "http://"),
        ("https://user:pw@example.com", "user name"),
        ("https://example.com\\@other", "backslash"),
        ("https://exa mple.com", "white space"),
        ("https://2130706433", "dotted quad"),
        ("https://127.0.0.1.", "dotted quad"),
        ("https://010.0.0.1", "dotted quad"),
        ("https://[fe80::1%25eth0]", "zone"),
        ("https://[::1]x", "host name"),
        ("https://bücher.example", "xn--"),
        ("https://exam%70le.com", "host name"),
        ("https://", "host name"),
        ("https://example.com:0", "port 0"),
        ("https://example.com:70000", "[Pp]ort"),
        (f"https://{'a' * 64}.example", "host name"),
        (f"https://{'a.' * 127}example", "host name"),
    ],
)
def test_a_url_that_can_be_misread_is_refused_with_the_reason(url: str, told: str) -> None:
    with pytest.raises(AddressRefused, match=told):
        check_url(url)


@pytest.mark.parametrize("ip", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_may_be_called(ip: str) -> None:
    assert not forbidden(ip)
    assert check_addresses([ip], host="x") == [ip]


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.8", "172.31.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1"])
def test_a_private_address_takes_an_admins_word(ip: str) -> None:
    assert forbidden(ip)
    assert not forbidden(ip, allow_private=True)


@pytest.mark.parametrize(
    "ip",
    [
        "0.0.0.0",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "2002:808:808::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "fe80::1%eth0",
        "::1%lo",
        "127.1",
        "2130706433",
        "localhost",
    ],
)
def test_metadata_link_local_embedded_and_reserved_addresses_stay_forbidden(ip: str) -> None:
    assert forbidden(ip)
    assert forbidden(ip, allow_private=True)


def test_no_answer_and_one_bad_answer_refuse_the_name() -> None:
    with pytest.raises(AddressRefused, match="does not resolve"):
        check_addresses([], host="nowhere.example")
    with pytest.raises(AddressRefused, match=r"mixed\.example resolves to 10\.0\.0\.1.*allow_private_network"):
        check_addresses(["8.8.8.8", "10.0.0.1"], host="mixed.example")
    with pytest.raises(AddressRefused, match=r"may not be called\Z"):
        check_addresses(["169.254.169.254"], host="metadata", allow_private=True)


@given(st.ip_addresses())
def test_nothing_that_python_calls_not_global_may_be_called(address: IPv4Address | IPv6Address) -> None:
    """Our list is at least as strict as the standard library's own reading of the registries."""
    if not address.is_global or address.is_multicast:
        assert forbidden(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_wrapped_into_ipv6_is_never_callable(address: IPv4Address) -> None:
    number = int(address)
    for prefix in (0xFFFF << 32, 0x64FF9B << 96, 0x2002 << 112, 0):
        wrapped = IPv6Address(prefix | (number << 80 if prefix == 0x2002 << 112 else number))
        assert forbidden(wrapped)
    assert forbidden(IPv6Address(0xFFFF << 32 | number), allow_private=True)


@given(st.text(max_size=60))
def test_any_text_gives_either_a_url_or_a_refusal(text: str) -> None:
    for url in (text, f"http://{text}", f"http://{text}:80/"):
        try:
            scheme, host, port = check_url(url)
        except AddressRefused:
            continue
        assert scheme in ("http", "https")
        assert host.isascii()
        assert host == host.lower()
        assert 0 < port < 65536
