"""The text of an API key: `ch_<8 public characters>_<secret>`. Made, checked and digested here and nowhere else."""

from __future__ import annotations

import re
import secrets
import string

from django.conf import settings
from django.core.exceptions import ValidationError

from dataplane import principal

SHAPE = "ch_<8 lower-case letters or digits>_<secret of 20 characters or more>"

_KEY = re.compile(r"ch_(?P<prefix>[a-z0-9]{8})_(?P<secret>[!-~]+)")
_PUBLIC = string.ascii_lowercase + string.digits
_SECRET = string.ascii_letters + string.digits
_SECRET_LENGTH = 40
_LEAST = 20
_MOST = 200


def generate() -> str:
    """A key with 40 random characters of secret (238 bits)."""
    prefix = "".join(secrets.choice(_PUBLIC) for _ in range(8))
    return f"ch_{prefix}_{''.join(secrets.choice(_SECRET) for _ in range(_SECRET_LENGTH))}"


def prefix_of(text: str) -> str:
    """The public part of a key. Raises ValidationError, showing the shape and never the text, for what is no key."""
    match = _KEY.fullmatch(text)
    if match is None or not _LEAST <= len(match["secret"]) <= _MOST:
        raise ValidationError({"secret": f"A key has the shape {SHAPE}, in printable ASCII without spaces."})
    return match["prefix"]


def digest_of(text: str) -> str:
    """The form in which a key is stored: hex of its HMAC under the server's pepper."""
    return principal.digest(settings.CUSTOMHOUSE.key_pepper, text).hex()
