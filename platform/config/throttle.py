"""Password guessing is made slow: failures are counted per name and address, and per address.

The backend stands first and refuses before a password is looked at; the middleware tells the person how long. Counts
live in the cache (Redis where there is one), so every process counts together, and forget after the lock time.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

LOCKED = "_customhouse_locked_out"


def _address(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "") if request is not None else ""


def _counters(request: HttpRequest | None, username: str) -> tuple[tuple[str, int], ...]:
    """Cache key and bound of each count that this attempt belongs to. Names are hashed: they may hold anything."""
    address = _address(request)
    name = hashlib.sha256(f"{username.casefold()}\0{address}".encode()).hexdigest()
    counters = [(f"login:name:{name}", settings.LOGIN_FAILURES_PER_NAME)]
    if address:
        counters.append((f"login:address:{hashlib.sha256(address.encode()).hexdigest()}", settings.LOGIN_FAILURES_PER_ADDRESS))
    return tuple(counters)


class ThrottledBackend(BaseBackend):
    """Authenticates nobody; raises PermissionDenied, which ends the search, where there were too many failures."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **credentials: Any) -> None:
        for name, bound in _counters(request, username or ""):
            if cache.get(name, 0) >= bound:
                if request is not None:
                    setattr(request, LOCKED, True)
                raise PermissionDenied("too many failed logins")


@receiver(user_login_failed)
def _count_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None and getattr(request, LOCKED, False):
        return  # an attempt that was not even looked at must not lengthen the lock
    for name, _bound in _counters(request, str(credentials.get("username") or "")):
        if not cache.add(name, 1, settings.LOGIN_LOCK_SECONDS):
            try:
                cache.incr(name)
            except ValueError:  # it ran out between the two calls
                cache.set(name, 1, settings.LOGIN_LOCK_SECONDS)


@receiver(user_logged_in)
def _forget_name(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """A success clears the count of the name, never that of the address: one own account must not reset a guesser."""
    if request is not None:
        cache.delete(_counters(request, user.get_username())[0][0])


class LockedOut(MiddlewareMixin):
    """Answers 429 with Retry-After instead of the login form when the backend has refused to look."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not getattr(request, LOCKED, False):
            return response
        minutes = max(1, settings.LOGIN_LOCK_SECONDS // 60)
        refusal = HttpResponse(
            f"Too many failed logins. Try again in {minutes} minutes.\n", status=429, content_type="text/plain; charset=utf-8"
        )
        refusal.headers["Retry-After"] = str(settings.LOGIN_LOCK_SECONDS)
        return refusal
