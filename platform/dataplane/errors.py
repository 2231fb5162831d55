"""The error tree of the data plane, and nothing about how a protocol words it.

    HouseError
    ├── BadRequest 400            malformed, wrong type; `param` names the field
    ├── Unauthorized 401          no key, wrong, revoked, expired: indistinguishable
    ├── BudgetExceeded 402        money is used up; never retried by SDKs
    ├── NotFound 404              does not exist or is not granted: indistinguishable
    ├── MethodNotAllowed 405
    ├── Conflict 409
    ├── PayloadTooLarge 413
    ├── RateLimited 429           carries retry_after
    ├── HeadersTooLarge 431
    ├── UpstreamFailed 502
    │   ├── Garbled               it succeeded, and sent what can't be read
    │   └── UpstreamTimeout 504
    └── Unavailable 503
        ├── JournalFull           a call that can't be written down does not leave
        └── AuthorityUnavailable  no authority to take a slice of a hard budget from

Each carries a stable `code` and headers that go out with it. Every protocol maps them to its own error shape.
"""

from __future__ import annotations


class HouseError(Exception):
    status = 500
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class BadRequest(HouseError):
    status = 400
    code = "invalid_request"


class Unauthorized(HouseError):
    status = 401
    code = "invalid_api_key"


class BudgetExceeded(HouseError):
    """A hard budget refuses. SDKs retry some refusals on their own; the header tells them not to."""

    status = 402
    code = "budget_exceeded"

    def __init__(self, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, headers=(("x-should-retry", "false"), *headers))


class NotFound(HouseError):
    status = 404
    code = "not_found"


class MethodNotAllowed(HouseError):
    status = 405
    code = "method_not_allowed"


class Conflict(HouseError):
    status = 409
    code = "conflict"


class PayloadTooLarge(HouseError):
    status = 413
    code = "request_too_large"


class RateLimited(HouseError):
    """A fairness limit refuses. `retry_after` is in seconds and goes out as Retry-After, rounded up."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float, headers: tuple[tuple[str, str], ...] = ()) -> None:
        seconds = max(1, int(retry_after) + (retry_after > int(retry_after)))
        super().__init__(message, headers=(("retry-after", str(seconds)), *headers))
        self.retry_after = retry_after


class HeadersTooLarge(HouseError):
    status = 431
    code = "headers_too_large"


class UpstreamFailed(HouseError):
    status = 502
    code = "upstream_error"


class Garbled(UpstreamFailed):
    """The upstream said that it succeeded and then sent what is not of its protocol. `raw` is what it sent, for the debug
    record; it never goes to the caller. It has worked, and may bill."""

    code = "upstream_garbled"
    sent = True

    def __init__(self, message: str, *, raw: bytes) -> None:
        super().__init__(message)
        self.raw = raw


class UpstreamTimeout(UpstreamFailed):
    status = 504
    code = "upstream_timeout"


class Unavailable(HouseError):
    status = 503
    code = "unavailable"


class JournalFull(Unavailable):
    code = "journal_full"


class AuthorityUnavailable(Unavailable):
    code = "budget_authority_unavailable"
