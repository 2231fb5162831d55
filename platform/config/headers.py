"""The content security policy of every page that people see."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

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


def policy_for(path: str, *, connects_to: str = "") -> str:
    """`connects_to` is a further origin that the page's scripts may call."""
    policy = next((policy for prefix, policy in BY_PREFIX if path.startswith(prefix)), STRICT)
    if connects_to:
        policy = {**policy, "connect-src": f"{policy['connect-src']} {connects_to}"}
    return "; ".join(f"{name} {value}" for name, value in policy.items())


class ContentSecurityPolicy(MiddlewareMixin):
    """Sets the header where a view has not set a stricter one of its own. A page whose scripts call the gateways at an address
    of their own names its origin in `response.connects_to`."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        policy = policy_for(request.path, connects_to=getattr(response, "connects_to", ""))
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        return response
