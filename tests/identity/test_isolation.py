"""What is another team's does not exist: every address, method and role, read from the URL resolver.

The stranger holds every model permission there is and is staff. A new admin or API with objects of teams has to bring a
specimen (tests/specimens.py), and a new address a permission, or this fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin as django_admin
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny, BasePermission

from adminkit.base import ActionAdmin
from audit.models import AuditEvent
from identity.models import Team, User
from tests import factories
from tests.specimens import API_SPECIMENS, QUAGGA, SPECIMENS

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")

# Addresses that answer anybody, and why.
PUBLIC = {
    "admin:login": "the way in",
    "admin:logout": "ends a session, if there is one",
    "admin:jsi18n": "words of the interface",
    "portal:login": "the other way in",
    "portal:logout": "ends a session, if there is one",
    "favicon.ico": "an icon",
}


@dataclass(frozen=True)
class Route:
    """An address of the house: its pattern with placeholders, and the view behind it."""

    path: str
    name: str
    view: Any

    @property
    def is_about_an_object(self) -> bool:
        return bool(re.search(r"<[^>]+>", self.path))

    def at(self, obj: Any, pk: Any) -> str:
        """The address for the object `obj` under the primary key `pk`."""
        version = obj.versions.first() if hasattr(obj, "versions") else None
        path = re.sub(r"<int:version_id>", str(version.pk if version else 1), self.path)
        return "/" + re.sub(r"<[^>]*(?:object_id|pk)>", str(pk), path)


def routes() -> Iterator[Route]:
    yield from _walk(get_resolver().url_patterns, "", "")


def _walk(patterns: list[Any], prefix: str, namespace: str) -> Iterator[Route]:
    for item in patterns:
        text = prefix + _plain(str(item.pattern))
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, text, f"{item.namespace}:" if item.namespace else namespace)
        elif isinstance(item, URLPattern) and "format" not in text:
            yield Route(text, f"{namespace}{item.name or ''}", item.callback)


def _plain(pattern: str) -> str:
    """DRF's regular expressions in the notation of paths."""
    return re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^)]*\))*\)", r"<\1>", pattern).replace("^", "").replace("$", "").replace(r"\.", ".").rstrip("?")


def admin_routes(model: type[Any]) -> list[Route]:
    base = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
    return [route for route in routes() if route.path.startswith(base)]


def scoped_admins(*, with_specimen: bool = True) -> dict[str, Any]:
    scoped = {model._meta.label: site for model, site in django_admin.site._registry.items() if getattr(site, "scoped", False)}
    return {label: site for label, site in scoped.items() if label in SPECIMENS or not with_specimen}


def shows(response: Any) -> bool:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return QUAGGA in content.decode(errors="replace")


@pytest.fixture
def foreign(research: Team) -> dict[str, Any]:
    """A specimen of each kind, owned by the team of the owner and not of the stranger."""
    return {label: make(research) for label, make in SPECIMENS.items()}


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_admin_calls_actions_or_only_reads(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User(is_superuser=True, is_staff=True)
    writable = [
        model._meta.label
        for model, site in django_admin.site._registry.items()
        if not isinstance(site, ActionAdmin)
        and (site.has_add_permission(request) or site.has_change_permission(request) or site.has_delete_permission(request))
    ]
    assert writable == []


def test_every_admin_with_objects_of_teams_brings_a_specimen() -> None:
    assert set(scoped_admins(with_specimen=False)) - set(SPECIMENS) == set()


def test_the_addresses_were_found() -> None:
    found = {route.path for route in routes()}
    assert "admin/identity/apikey/<path:object_id>/change/" in found
    assert "api/v1/keys/<pk>/rotate/" in found
    assert len(found) > 100


def test_a_strangers_request_for_another_teams_object_in_the_admin_is_a_404(foreign: dict[str, Any], stranger: User) -> None:
    client = logged_in(stranger)
    written = AuditEvent.objects.count()
    wrong = []
    for label, site in scoped_admins().items():
        obj = foreign[label]
        for route in admin_routes(site.model):
            if not route.is_about_an_object:
                continue
            for method in METHODS:
                response = getattr(client, method)(route.at(obj, obj.pk))
                if route.path.endswith("<path:object_id>/") and response.status_code == 302:
                    response = getattr(client, method)(response.headers["Location"])  # the short form of the change page
                if response.status_code not in (404, 405) or shows(response):  # 405 is said of any object alike
                    wrong.append((method, route.path, response.status_code))
    assert wrong == []
    assert AuditEvent.objects.count() == written


def test_another_teams_object_and_one_that_does_not_exist_are_told_apart_by_nothing(foreign: dict[str, Any], stranger: User) -> None:
    client = logged_in(stranger)
    for label, site in scoped_admins().items():
        obj = foreign[label]
        missing = uuid4() if isinstance(obj.pk, UUID) else site.model._base_manager.order_by("-pk").first().pk + 1000
        for route in admin_routes(site.model):
            if route.is_about_an_object:
                first, second = (client.get(route.at(obj, pk)) for pk in (obj.pk, missing))
                assert (first.status_code, first.content) == (second.status_code, second.content), route.path


def test_no_list_search_filter_or_choice_shows_a_stranger_another_teams_object(foreign: dict[str, Any], stranger: User) -> None:
    client = logged_in(stranger)
    leaks = []
    for label, site in scoped_admins().items():
        obj = foreign[label]
        for route in admin_routes(site.model):
            if route.is_about_an_object:
                continue
            for query in ("", f"?q={QUAGGA}", f"?_popup=1&all=&o=1&id__exact={obj.pk}"):
                response = client.get(f"/{route.path}{query}", follow=True)
                body = response.content.decode().replace(f"q={QUAGGA}", "").replace(f'value="{QUAGGA}"', "")
                if f"{QUAGGA}-" in body or f"{QUAGGA}." in body:
                    leaks.append(f"/{route.path}{query}")
        for field in (field for field in site.model._meta.get_fields() if field.concrete and field.is_relation):
            opts = site.model._meta
            query = f"app_label={opts.app_label}&model_name={opts.model_name}&field_name={field.name}&term={QUAGGA}"
            if shows(client.get(f"/admin/autocomplete/?{query}")):
                leaks.append(query)
    pages = (f"/admin/search/?s={QUAGGA}", f"/admin/search/?s={QUAGGA}&extended=1", "/admin/")
    leaks += [path for path in pages if f"{QUAGGA}-" in client.get(path).content.decode()]
    assert leaks == []


def test_a_stranger_does_nothing_to_another_teams_objects_with_a_bulk_action(foreign: dict[str, Any], stranger: User) -> None:
    client = logged_in(stranger)
    written = AuditEvent.objects.count()
    for label, site in scoped_admins().items():
        opts = site.model._meta
        for action in (*site.actions, "delete_selected", "export_csv"):
            name = action if isinstance(action, str) else action.__name__
            for across in ("0", "1"):
                given = {"action": name, "_selected_action": [foreign[label].pk], "index": "0", "select_across": across, "post": "yes"}
                response = client.post(f"/admin/{opts.app_label}/{opts.model_name}/", given)
                assert not shows(response), (label, name)
    assert AuditEvent.objects.count() == written


def test_anonymous_and_plain_members_are_sent_to_the_login_by_every_admin_page(foreign: dict[str, Any], research: Team) -> None:
    member = factories.make_user(team=research)
    for client in (Client(), logged_in(member)):
        for label, site in scoped_admins().items():
            for route in admin_routes(site.model):
                for method in METHODS:
                    response = getattr(client, method)(route.at(foreign[label], foreign[label].pk))
                    assert response.status_code == 302, (method, route.path)
                    assert response.headers["Location"].startswith("/admin/login/"), (method, route.path)


def test_the_owner_and_the_mate_see_what_the_stranger_does_not(foreign: dict[str, Any], owner: User, team_mate: User) -> None:
    """Without this the matrix would also pass in a house where nobody sees anything."""
    unseen = []
    for user in (owner, team_mate):
        client = logged_in(user)
        for label, site in scoped_admins().items():
            if label == "llmgateway.Provider":  # belongs to no team: the platform's
                continue
            opts = site.model._meta
            response = client.get(f"/admin/{opts.app_label}/{opts.model_name}/{foreign[label].pk}/change/", follow=True)
            if response.status_code != 200 or not shows(response):
                unseen.append((user.username, label, response.status_code))
    assert unseen == []


def test_a_mate_without_permissions_changes_nothing(foreign: dict[str, Any], team_mate: User) -> None:
    client = logged_in(team_mate)
    written = AuditEvent.objects.count()
    for label, site in scoped_admins().items():
        for route in admin_routes(site.model):
            client.post(route.at(foreign[label], foreign[label].pk))
    assert AuditEvent.objects.count() == written


def api_routes() -> list[Route]:
    return [route for route in routes() if route.path.startswith("api/v1/") and hasattr(route.view, "actions")]


def api_specimen(route: Route, foreign: dict[str, Any], team: Team) -> Any:
    basename = route.name.rpartition("-")[0] if "-" in route.name else route.name
    for name, make in API_SPECIMENS.items():
        if route.view.initkwargs.get("basename") == name:
            return make(team)
    queryset = getattr(route.view.cls, "queryset", None)
    assert queryset is not None, f"{route.path} ({basename}) has no queryset: add it to API_SPECIMENS"
    return foreign.get(queryset.model._meta.label)


def test_every_route_of_the_api_declares_who_may_call_it_and_none_is_for_members(foreign: dict[str, Any], research: Team) -> None:
    """Declared in the house's own code, that is: DRF's default does not count, and neither does letting anybody in."""
    undeclared = [
        route.path
        for route in api_routes()
        if not any(
            "permission_classes" in vars(base) for base in route.view.cls.__mro__ if not base.__module__.startswith("rest_framework")
        )
        or not all(issubclass(permission, BasePermission) for permission in route.view.cls.permission_classes)
        or not route.view.cls.permission_classes
        or AllowAny in route.view.cls.permission_classes
    ]
    assert undeclared == []
    assert len(api_routes()) > 20
    _, text = factories.make_key(factories.make_user(team=research))
    member = Client(headers={"Authorization": f"Bearer {text}"})
    for route in api_routes():
        for method in list(route.view.actions):
            answer = member.generic(method.upper(), "/" + re.sub(r"<[^>]+>", "1", route.path), b"{}", "application/json")
            assert answer.status_code == 403, (method, route.path)


def test_a_strangers_request_for_another_teams_object_in_the_api_is_a_404(foreign: dict[str, Any], stranger: User, research: Team) -> None:
    _, text = factories.make_key(stranger)
    client = Client(headers={"Authorization": f"Bearer {text}"})
    made = {}
    wrong = []
    asked = 0
    for route in api_routes():
        if not route.is_about_an_object:
            continue
        basename = route.view.initkwargs["basename"]
        if basename not in made:
            made[basename] = api_specimen(route, foreign, research)
        obj = made[basename]
        if obj is None:
            continue  # belongs to no team; refused below
        pk = f"team-{obj.pk}" if basename == "grant" else obj.pk
        for method in METHODS:
            response = client.generic(method.upper(), route.at(obj, pk), b"", "application/json")
            asked += 1
            # 405 is said of any object alike, and OPTIONS describes the address, not what is at it.
            if response.status_code not in ((200, 404) if method == "options" else (404, 405)) or shows(response):
                wrong.append((method, route.path, response.status_code))
    assert asked > 50
    assert wrong == []


def test_no_list_of_the_api_shows_a_stranger_another_teams_objects(foreign: dict[str, Any], stranger: User, research: Team) -> None:
    API_SPECIMENS["grant"](research)
    client = logged_in(stranger)
    leaks = [
        route.path
        for route in api_routes()
        if not route.is_about_an_object and "get" in route.view.actions and shows(client.get(f"/{route.path}"))
    ]
    assert leaks == []


def portal_addresses(obj: Any) -> Iterator[str]:
    """Every address of the portal with placeholders, filled in for one object by each name that it goes by."""
    names = {str(getattr(obj, name)) for name in ("slug", "name", "username") if hasattr(obj, name)}
    for route in routes():
        if not route.is_about_an_object or route.path.startswith(("admin/", "api/")):
            continue
        for name in names:
            values = {"kind": obj._meta.model_name, "name": name, "pk": str(obj.pk), "version": "1.0.0"}
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found, values=values: values.get(found[1], "1"), route.path)


def test_a_strangers_request_for_another_teams_thing_in_the_portal_is_a_404(foreign: dict[str, Any], stranger: User) -> None:
    client = logged_in(stranger)
    written = AuditEvent.objects.count()
    asked = {address for obj in foreign.values() for address in portal_addresses(obj)}
    wrong = []
    for address in sorted(asked):
        for method in ("get", "post"):
            response = getattr(client, method)(address)
            if response.status_code not in (404, 405) or f"{QUAGGA}-" in response.content.decode().replace(address, ""):
                wrong.append((method, address, response.status_code))
    assert wrong == []
    assert len(asked) > 20
    assert AuditEvent.objects.count() == written
    lists = [route.path for route in routes() if not route.is_about_an_object and not route.path.startswith(("admin/", "api/"))]
    assert [path for path in lists if shows(client.get(f"/{path}"))] == []


def test_every_address_but_the_public_ones_refuses_the_anonymous(foreign: dict[str, Any]) -> None:
    client = Client()
    open_to_all = []
    for route in routes():
        if route.name in PUBLIC or route.path in PUBLIC or route.path.startswith(("admin/<", "admin/r/")):
            continue
        response = client.get("/" + re.sub(r"<[^>]+>", "1", route.path))
        refused = response.status_code in (401, 403, 404) or (response.status_code == 302 and "login" in response.headers["Location"])
        if not refused:
            open_to_all.append((route.path, route.name, response.status_code))
    assert open_to_all == []
