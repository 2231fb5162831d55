"""The content security policy of every page that people see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# Alpine, which drives the admin theme, evaluates the expressions in its attributes and sets inline styles.
ADMIN = {**STRICT, "script-src": "'self' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'"}
# The API browser draws its icons inline and styles itself.
DOCS = {**STRICT, "style-src": "'self' 'unsafe-inline'"}

BY_PREFIX = (("/admin/", ADMIN), ("/api/docs", DOCS))


def policy_for(path: str) -> str:
    policy = next((policy for prefix, policy in BY_PREFIX if path.startswith(prefix)), STRICT)
    return "; ".join(f"{name} {value}" for name, value in policy.items())


class ContentSecurityPolicy:
    """Sets the header where a view has not set a stricter one of its own."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if iscoroutinefunction(self):
            return self._async(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _with_policy(request, response)

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        assert not isinstance(response, HttpResponseBase)
        return _with_policy(request, await response)


def _with_policy(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, HttpResponse) or "Content-Type" in response:
        response.headers.setdefault("Content-Security-Policy", policy_for(request.path))
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
    return response
