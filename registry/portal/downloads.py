"""`/skills/<name>/<version>.tar.gz`: the files of an approved version, for a session or a key.

Only those to whom the skill was granted get it, and those who look after it. For everybody else it is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.views.decorators.http import require_safe
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from adminkit.permissions import may
from identity.authentication import KeyAuthentication
from registry import queries
from registry.catalog.grants import Held
from registry.models import Skill, SkillFile, SkillVersion
from registry.skills import tarball


@require_safe
def download(request: HttpRequest, name: str, version: str) -> Any:
    user = _caller(request)
    if user is None:
        refusal = HttpResponse("A key or a session is needed.\n", status=401, content_type="text/plain")
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="customhouse"'
        return refusal
    skill = Skill.objects.select_related("live_version").filter(name=name).first()
    found = queries.installable_version(skill, version) if skill is not None and _may_install(user, skill) else None
    if found is None:
        raise Http404
    return _answer(request, found)


def _caller(request: HttpRequest) -> Any:
    """Whose key it is, else who is signed in. None for a key that is not valid, and for nobody."""
    try:
        known = KeyAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        return None
    if known is not None:
        return known[0]
    return request.user if request.user.is_authenticated else None


def _may_install(user: Any, skill: Skill) -> bool:
    return Held(user).reaches(skill) or may(user, "change", skill)


def _answer(request: HttpRequest, version: SkillVersion) -> Any:
    tag = f'"{version.digest}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "X-Skill-Version": version.version,
        "X-Skill-Digest": f"sha256:{version.digest}",
    }
    if tag in request.headers.get("if-none-match", ""):
        response: Any = HttpResponseNotModified()
    elif request.method == "HEAD":
        response = HttpResponse(content_type="application/gzip")
    else:
        response = StreamingHttpResponse(_packed(version), content_type="application/gzip")
    for header, value in headers.items():
        response.headers[header] = value
    response.headers["Content-Disposition"] = f'attachment; filename="{version.skill.name}-{version.version}.tar.gz"'
    return response


def _packed(version: SkillVersion) -> Iterator[bytes]:
    """One file at a time is read from the database."""
    files: list[SkillFile] = list(version.files.all())
    return tarball.tar_gz(
        tarball.Part(file.path, file.size, file.executable, lambda file=file: bytes(file.blob.content))  # type: ignore[misc]
        for file in files
    )
