"""What went wrong when a provider was asked, in words that say what to do about it. Texts only; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmgateway.choices import Dialect
from llmgateway.vendors import VENDORS


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`error` is what happened, `advice` what to do."""

    error: str
    advice: str


def of_status(status: int, *, answer: Any, keys_page: str, has_credential: bool, location: str = "") -> Diagnosis:
    """`answer` is the parsed body of an error answer, or None when it was not JSON; `keys_page` is where the vendor's keys
    are made, "" where nobody knows."""
    said = _said(answer)
    error = f"The provider answered {status}{f': {said}' if said else '.'}"
    return Diagnosis(error, _status_advice(status, keys_page=keys_page, has_credential=has_credential, location=location))


def _status_advice(status: int, *, keys_page: str, has_credential: bool, location: str) -> str:
    if 300 <= status < 400:
        return f"The address redirects{f' to {location}' if location else ''}. Redirects are not followed: enter the final address."
    if status == 401 and not has_credential:
        return f"No credential is stored. {_where(keys_page)}"
    if status == 401:
        return f"The credential was refused: it is mistyped, expired or revoked. {_where(keys_page)}"
    if status == 403:
        return "The credential is valid but may not list models: look at its permissions, its project and the account's allowed addresses."
    if status in (404, 405):
        return (
            "There is no list of models at this address: compare the base URL with the vendor's API reference, the version part included."
        )
    if status == 429:
        return "The account is at its rate limit or out of credit: look at the vendor's billing page, then test again."
    if status >= 500:
        return "The provider has a fault of its own: look at its status page and test again later. Nothing has to be changed here."
    return "Compare the dialect and the base URL with the vendor's API reference."


def _where(keys_page: str) -> str:
    if not keys_page:
        return "Paste a valid one into the credential field."
    return f"Make a key at {keys_page} and paste it into the credential field."


def _said(answer: Any) -> str:
    """The vendor's own message, at most 200 characters of one line."""
    found = answer.get("error", answer) if isinstance(answer, dict) else None
    text = found.get("message") or found.get("detail") or found.get("Message") if isinstance(found, dict) else found
    return " ".join(text.split())[:200] if isinstance(text, str) else ""


def account_refused(status: int, said: str) -> Diagnosis:
    """Google's token service did not exchange the service account's key."""
    error = f"The token service answered {status}{f': {said}' if said else '.'}"
    return Diagnosis(
        error, "The service account's key is revoked, or the account is disabled: make a new key for it and paste its JSON file."
    )


def not_json(content_type: str, *, dialect: str) -> Diagnosis:
    error = f"The answer is not JSON ({content_type.partition(';')[0].strip()[:60] or 'no content type'})."
    example = next(row.base_url for row in VENDORS if row.dialect == dialect)
    return Diagnosis(error, f"This looks like a web page or another service, not like an API. An address of this dialect: {example}")


def not_a_list(*, dialect: str) -> Diagnosis:
    return Diagnosis(
        "The answer is JSON, but not a list of models.",
        f"Check that this provider really speaks “{Dialect(dialect).label}”, and that the base URL ends where the vendor says.",
    )


def unreachable(reason: str, *, host: str) -> Diagnosis:
    """`reason` is one of name, refused, timeout, tls, lost."""
    error, advice = _UNREACHABLE[reason]
    return Diagnosis(error.format(host=host), advice.format(host=host))


def forbidden_address(message: str, *, allow_private: bool) -> Diagnosis:
    advice = (
        "This address is never called."
        if allow_private
        else "If this provider is meant to be in your own network, tick “allow private network”."
    )
    return Diagnosis(f"{message[:1].upper()}{message[1:]}.", advice)


_UNREACHABLE = {
    "name": ("The name {host} can't be resolved.", "Check the spelling of the base URL, and this machine's DNS."),
    "refused": (
        "Nothing accepts connections at {host}.",
        "Check the port in the base URL, that the service runs, and the firewalls between.",
    ),
    "timeout": (
        "{host} did not answer in time.",
        "Check firewalls and proxies between this machine and {host}; a slow service may need a longer timeout.",
    ),
    "tls": ("No secure connection to {host} could be made.", "Its certificate is not trusted, expired, or made for another name."),
    "lost": (
        "{host} closed the connection without a complete answer.",
        "Check that the base URL has the right scheme (http or https) and port.",
    ),
}
