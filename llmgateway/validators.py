"""What the control plane accepts as names, addresses, headers and credentials. Every refusal says what to write instead.

All raise django.core.exceptions.ValidationError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from dataplane.addresses import AddressRefused, check_url, forbidden

PROVIDER_NAME = RegexValidator(r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z", "Use lower-case letters, digits, dots, dashes and underscores.")
VENDOR = RegexValidator(r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z", "Use the vendor's name in the price list, e.g. openai or x-ai.")
MODEL_NAME = RegexValidator(
    r"^[A-Za-z0-9](?:[A-Za-z0-9._:/@+-]*[A-Za-z0-9])?\Z",
    "Use letters, digits and . _ : / @ + - only, with a letter or digit at both ends.",
)
UPSTREAM_MODEL = RegexValidator(r"^[\x21-\x7e]+\Z", "Use the provider's own name for it: printable ASCII without spaces.")

MAX_CREDENTIAL = 16 * 1024
"""A Google service account's JSON has about 2.4 KiB; nothing that a vendor hands out comes near this."""
MAX_HEADERS = 20

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_OWNED_HEADERS = frozenset(
    {"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "te", "trailer", "upgrade"}
    | {"accept-encoding", "expect", "keep-alive", "proxy-connection"}
)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie"})
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")


def clean_base_url(text: str, *, allow_private_network: bool) -> str:
    """The address in its one stored spelling: lower-case host, no trailing slash.

    Names are resolved and checked again whenever they are called; here only what can be seen in the text is refused.
    """
    if not isinstance(text, str):
        raise ValidationError("Expected a text such as https://api.openai.com/v1")
    text = text.strip()
    try:
        scheme, host, _port = check_url(text)
    except AddressRefused as refused:
        raise ValidationError(f"{_sentence(str(refused))} Example: https://api.openai.com/v1") from None
    parts = urlsplit(text)
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValidationError("Leave out everything after ? or #: the gateway appends the path of each endpoint itself.")
    if ".." in parts.path.split("/"):
        raise ValidationError("Write the path without '..'.")
    _check_reach(scheme, host, allow_private_network=allow_private_network)
    return urlunsplit((scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def _check_reach(scheme: str, host: str, *, allow_private_network: bool) -> None:
    if _is_literal(host) and forbidden(host, allow_private=True):
        raise ValidationError(f"{host} is a link-local, metadata, multicast or reserved address, which is never called.")
    if allow_private_network:
        return
    if host in _LOCAL_NAMES or host.endswith(_LOCAL_NAMES[1:]) or (_is_literal(host) and forbidden(host)):
        raise ValidationError(f"{host} is a loopback or private address. If that is meant, tick 'allow private network'.")
    if scheme == "http":
        raise ValidationError(
            "Use https: over plain http the credential could be read on the way. Plain http is for private networks only."
        )


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def clean_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Extra request headers by lower-case name. What the gateway sets itself and what carries a secret is refused."""
    if headers is not None and not isinstance(headers, Mapping):
        raise ValidationError("Write a JSON object of header names and text values.")
    cleaned: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str) or not _TOKEN.fullmatch(name) or len(name) > 100:
            raise ValidationError(f"'{name}' is not a header: write a JSON object of header names and text values.")
        lowered = name.lower()
        if lowered in _SECRET_HEADERS:
            raise ValidationError(f"'{name}' carries a secret: store it as the credential, which is sealed.")
        if lowered in _OWNED_HEADERS or lowered.startswith("x-customhouse-"):
            raise ValidationError(f"'{name}' is set by the gateway itself.")
        if not _HEADER_VALUE.fullmatch(value) or len(value) > 1000:
            raise ValidationError(f"The value of '{name}' must be printable ASCII of at most 1000 characters.")
        if lowered in cleaned:
            raise ValidationError(f"'{name}' is given twice.")
        cleaned[lowered] = value.strip()
    if len(cleaned) > MAX_HEADERS:
        raise ValidationError(f"At most {MAX_HEADERS} extra headers.")
    return cleaned


def clean_credential(secret: str) -> str:
    """A provider's key as it will be sent: one line of visible ASCII, or a JSON object (cloud accounts).

    The message never repeats the secret.
    """
    if not isinstance(secret, str):
        raise ValidationError("The credential must be a text.")
    secret = secret.strip()
    if not secret:
        raise ValidationError("The credential is empty.")
    if len(secret) > MAX_CREDENTIAL:
        raise ValidationError(f"The credential is longer than {MAX_CREDENTIAL} characters.")
    if secret.startswith(("env:", "file:")):
        raise ValidationError("References (env:NAME, file:PATH) are for config files; paste the credential itself here.")
    if secret.startswith("{"):
        try:
            parsed = json.loads(secret)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise ValidationError("The credential looks like JSON but is not a JSON object.")
        return secret
    if not _VISIBLE.fullmatch(secret):
        raise ValidationError("The credential holds spaces, line breaks or other characters that no key has: copy it again.")
    return secret
