"""The catalog's pages: the search, one item, and asking for access to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from registry import actions
from registry.catalog.entry import Entry
from registry.catalog.grants import Held
from registry.catalog.items import find, find_tool
from registry.catalog.search import FACETS, Answer, Question, search
from registry.choices import Decision, Kind
from registry.models import AccessRequest
from registry.portal.access import page, signed_in
from registry.portal.forms import AccessForm
from registry.portal.item_page import content
from registry.portal.snippets import KEY, snippets

MAX_QUERY = 200


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    question = _question(request.GET)
    answer = search(request.user, question)
    context: dict[str, Any] = {
        "question": question,
        "answer": answer,
        "facets": _facets(request.GET, question, answer),
        "granted_url": _toggled(request.GET, "granted", "1"),
        "clear_url": f"?{urlencode({'q': question.text})}" if question.text else "?",
        "narrowed": any(getattr(question, facet) for facet in FACETS) or question.granted,
        "previous": _toggled(request.GET, "page", str(answer.page - 1), keep=True) if answer.page > 1 else "",
        "next": _toggled(request.GET, "page", str(answer.page + 1), keep=True) if answer.page < answer.pages else "",
    }
    template = "results.html" if request.headers.get("x-portal-partial") else "catalog.html"
    return page(request, template, tab="catalog", **context)


def _question(data: QueryDict) -> Question:
    number = data.get("page", "1")
    return Question(
        text=data.get("q", "").strip()[:MAX_QUERY].replace("\x00", ""),
        kind=frozenset(data.getlist("kind")[:20]),
        team=frozenset(data.getlist("team")[:20]),
        state=frozenset(data.getlist("state")[:20]),
        granted=data.get("granted") == "1",
        page=int(number) if number.isdecimal() and len(number) < 6 else 1,
    )


def _facets(data: QueryDict, question: Question, answer: Answer) -> list[dict[str, Any]]:
    labels = {"kind": "Kind", "team": "Owner", "state": "State"}
    return [
        {
            "name": facet,
            "label": labels[facet],
            "values": [
                {
                    "value": value,
                    "label": Kind(value).label if facet == "kind" and value in Kind.values else value,
                    "count": count,
                    "on": value in getattr(question, facet),
                    "url": _toggled(data, facet, value),
                }
                for value, count in answer.facets[facet][:30]
            ],
        }
        for facet in FACETS
        if answer.facets[facet]
    ]


def _toggled(data: QueryDict, name: str, value: str, *, keep: bool = False) -> str:
    """The same search with one choice taken or taken back; `keep` replaces instead. Turning pages starts over."""
    changed = data.copy()
    if not keep:
        changed.pop("page", None)
    if keep:
        changed[name] = value
    elif value in changed.getlist(name):
        changed.setlist(name, [other for other in changed.getlist(name) if other != value])
    else:
        changed.appendlist(name, value)
    return f"?{changed.urlencode()}"


@signed_in
def item(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    user: Any = request.user
    held = Held(user)
    entry = _found(user, held, kind, name)
    return _item_page(request, held, entry, AccessForm(user=user))


def _found(user: Any, held: Held, kind: str, name: str) -> Entry:
    entry = find(user, held, kind, name)
    if entry is None:
        raise Http404("There is nothing of that name in the catalog.")
    return entry


def _item_page(request: HttpRequest, held: Held, entry: Entry, form: AccessForm, *, status: int = 200) -> HttpResponse:
    user: Any = request.user
    more = content(user, held, entry)
    return page(
        request,
        "item.html",
        tab="catalog",
        status=status,
        entry=entry,
        kind_label=Kind(entry.kind).label if entry.kind in Kind.values else entry.kind,
        reasons=held.reasons(entry.target),
        waiting=_waiting(user, entry),
        form=form,
        snippets=snippets(entry, base_url=settings.CUSTOMHOUSE.public_url, version=more.get("version", "latest")),
        key_variable=KEY,
        **more,
    )


def _waiting(user: Any, entry: Entry) -> AccessRequest | None:
    kind = ContentType.objects.get_for_model(entry.target)
    return AccessRequest.objects.filter(requester=user, target_type=kind, target_id=entry.target.pk, state=Decision.PENDING).first()


@signed_in
def request_access(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Asks for an item, or with `tool` for one tool of a server."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user: Any = request.user
    held = Held(user)
    entry = _found(user, held, kind, name)
    target = entry.target
    if request.POST.get("tool"):
        target = find_tool(user, held, f"{name}/{request.POST['tool']}") if kind == Kind.SERVER else None
        if target is None:
            raise Http404
    form = AccessForm(request.POST, user=user)
    if form.is_valid():
        try:
            actions.request_access(actor=user, target=target, purpose=form.cleaned_data["purpose"], team=form.chosen_team())
        except (ValidationError, PermissionDenied) as error:
            form.add_error(None, error if isinstance(error, ValidationError) and not hasattr(error, "error_dict") else str(error))
        else:
            messages.success(request, "Asked. You see here when it is decided.")
            return HttpResponseRedirect(reverse("portal:item", args=(kind, name)))
    return _item_page(request, held, entry, form, status=400)


@signed_in
def requests(request: HttpRequest) -> HttpResponse:
    """What the person asked for, and what became of it."""
    from registry.portal.asked import asked_by

    return page(request, "requests.html", tab="requests", rows=asked_by(request.user))


@signed_in
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    from registry.portal.asked import pending_review_of

    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user: Any = request.user
    review = pending_review_of(user, pk)
    if review is None:
        raise Http404
    actions.withdraw(actor=user, review=review)
    messages.success(request, "Taken back.")
    return redirect("portal:requests")
