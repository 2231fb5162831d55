"""What the buttons on an item's page do: each is one action of the registry, asked for by a POST.

A refusal comes back as a message on the page. What the actor can't see is a 404 before any of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.urls import reverse

from adminkit.forms import REFUSALS
from adminkit.safety import tell
from registry import actions
from registry.choices import Decision
from registry.models import Agent, Review, Server, Tool

Verb = Callable[[Any, Any, QueryDict], str]


def run(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Carries out `verb` of the posted form on an item and leads back to where it was asked."""
    item = admin.get_object(request, object_id)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    verb = _VERBS.get(request.POST.get("verb", ""))
    if verb is None:
        raise Http404
    try:
        messages.success(request, verb(request.user, item, request.POST))
    except REFUSALS as error:
        tell(request, error)
    version = request.POST.get("version", "")
    if request.POST.get("stay") and version.isdecimal():
        return HttpResponseRedirect(reverse(f"{admin.admin_site.name}:{_name(item)}_version", args=(item.pk, version)))
    return HttpResponseRedirect(admin.url_of(item.pk))


def _name(item: Any) -> str:
    return f"registry_{item._meta.model_name}"


def _version(item: Any, data: QueryDict) -> Any:
    pk = data.get("version", "")
    version = item.versions.filter(pk=pk).first() if pk.isdecimal() else None
    if version is None:
        raise Http404
    return version


def _tool(item: Any, data: QueryDict) -> Tool:
    pk = data.get("tool", "")
    tool = Tool.objects.filter(server=item, pk=pk).first() if isinstance(item, Server) and pk.isdecimal() else None
    if tool is None:
        raise Http404
    return tool


def _refresh(user: Any, item: Any, data: QueryDict) -> str:
    if isinstance(item, Server):
        found: Any = actions.refresh_server(actor=user, server=item)
    elif isinstance(item, Agent):
        found = actions.refresh_agent(actor=user, agent=item)
    else:
        raise Http404
    return (
        "It is unchanged."
        if found is None
        else f"It changed: version {found.version} waits for review. Callers still get what was approved."
    )


def _propose(user: Any, item: Any, data: QueryDict) -> str:
    if isinstance(item, Server):
        version: Any = actions.new_server_version(actor=user, server=item, url=data.get("url", ""))
    elif isinstance(item, Agent):
        version = actions.new_agent_version(actor=user, agent=item, url=data.get("url", ""))
    else:
        raise Http404
    return f"What answers there is version {version.version}, {version.get_state_display().lower()}. Callers still get what was approved."


def _submit(user: Any, item: Any, data: QueryDict) -> str:
    version = _version(item, data)
    actions.submit(actor=user, version=version, note=data.get("note", ""))
    return f"{version} waits for review."


def _publish(user: Any, item: Any, data: QueryDict) -> str:
    version = actions.publish(actor=user, version=_version(item, data))
    return f"{version} is approved and live."


def _withdraw(user: Any, item: Any, data: QueryDict) -> str:
    version = _version(item, data)
    kind = ContentType.objects.get_for_model(version)
    review = Review.objects.filter(subject_type=kind, subject_id=version.pk, decision=Decision.PENDING).first()
    if review is None:
        raise Http404
    actions.withdraw(actor=user, review=review)
    return f"{version} is a draft again."


def _reopen(user: Any, item: Any, data: QueryDict) -> str:
    return f"{actions.reopen(actor=user, version=_version(item, data))} is a draft again."


def _make_live(user: Any, item: Any, data: QueryDict) -> str:
    return f"{actions.make_live(actor=user, version=_version(item, data))} is live."


def _deprecate(user: Any, item: Any, data: QueryDict) -> str:
    version = actions.deprecate(actor=user, version=_version(item, data), reason=data.get("reason", ""))
    return f"{version} is deprecated. Where it is live it stays so, with a warning."


def _freeze(user: Any, item: Any, data: QueryDict) -> str:
    actions.freeze(actor=user, item=item, reason=data.get("reason", ""))
    return f"{item} is frozen: callers are refused from now on."


def _retire(user: Any, item: Any, data: QueryDict) -> str:
    actions.retire(actor=user, item=item, reason=data.get("reason", ""))
    return f"{item} is retired."


def _reinstate(user: Any, item: Any, data: QueryDict) -> str:
    actions.reinstate(actor=user, item=item)
    return f"{item} is back in service."


def _withhold(user: Any, item: Any, data: QueryDict) -> str:
    return f"{actions.withhold_tool(actor=user, tool=_tool(item, data)).name} is withheld from callers."


def _offer(user: Any, item: Any, data: QueryDict) -> str:
    return f"{actions.offer_tool(actor=user, tool=_tool(item, data)).name} is offered again."


def _set_credential(user: Any, item: Any, data: QueryDict) -> str:
    if not isinstance(item, Server | Agent):
        raise Http404
    secret = None if data.get("drop") else data.get("credential", "")
    actions.set_credential(actor=user, item=item, secret=secret, header=data.get("header") or None)
    return "The credential is gone." if secret is None else "The credential is stored, sealed."


_VERBS: dict[str, Verb] = {
    "refresh": _refresh,
    "propose": _propose,
    "submit": _submit,
    "publish": _publish,
    "withdraw": _withdraw,
    "reopen": _reopen,
    "make_live": _make_live,
    "deprecate": _deprecate,
    "freeze": _freeze,
    "retire": _retire,
    "reinstate": _reinstate,
    "withhold": _withhold,
    "offer": _offer,
    "set_credential": _set_credential,
}
