"""Which addresses a server or an agent may be registered under, in the one spelling in which they are stored."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.core.exceptions import ValidationError

from dataplane.addresses import AddressRefused, check_url, forbidden

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


def clean_url(text: str, *, allow_private: bool) -> str:
    """Raises ValidationError. Names are resolved and checked again at every call; here only the text is judged."""
    text = text.strip()
    try:
        scheme, host, _port = check_url(text)
    except AddressRefused as refused:
        raise ValidationError({"url": f"{str(refused)[:1].upper()}{str(refused)[1:]}."}) from None
    parts = urlsplit(text)
    if parts.fragment or "#" in text:
        raise ValidationError({"url": "Leave out the # and what follows it."})
    if len(text) > 1000:
        raise ValidationError({"url": "This address is longer than 1,000 characters."})
    literal = ":" in host or host.replace(".", "").isdigit()
    if literal and forbidden(host, allow_private=True):
        raise ValidationError({"url": f"{host} is a link-local, metadata, multicast or reserved address, which is never called."})
    if not allow_private:
        if host == "localhost" or host.endswith(_LOCAL_SUFFIXES) or (literal and forbidden(host)):
            raise ValidationError({"url": f"{host} is a loopback or private address. If that is meant, tick 'allow private network'."})
        if scheme == "http":
            raise ValidationError({"url": "Use https. Plain http is for private networks only."})
    return urlunsplit((scheme, parts.netloc.lower(), parts.path, parts.query, ""))
