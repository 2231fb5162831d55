"""Text from outside never runs, loads or restyles anything on a page of the house, in the portal or in the admin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, Request, Route, sync_playwright

from identity.models import User
from registry import actions
from tests.registry.pages import Page
from tests.registry.things import (
    FORECAST,
    draft_server,
    draft_skill,
    found_card,
    found_server,
    live_agent,
    live_server,
    live_skill,
    skill_archive,
)
from tests.registry.xss import VECTORS, corpus

pytestmark = pytest.mark.django_db

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(corpus()) >= 500


@pytest.fixture
def hostile_pages(client: Client, admin: User) -> list[str]:
    """Addresses of every page that shows text from outside, all of it from the corpus."""
    client.force_login(admin)
    everything = "\n\n".join(corpus())
    tools = [
        {
            "name": "".join(char for char in f"t{number}{vector}" if char.isprintable())[:100].strip(),
            "title": vector,
            "description": "\n\n".join(corpus()[number * 9 : number * 9 + 9]),
            "inputSchema": {"type": "object", "properties": {vector: {"type": vector, "description": vector}}, "required": [vector]},
            "annotations": {"title": vector, "readOnlyHint": True},
        }
        for number, vector in enumerate(VECTORS)
    ]
    server = live_server(
        slug="hostile",
        title=VECTORS[8],
        description=everything[:4000],
        found=found_server(*tools, instructions=everything, title=VECTORS[0]),
    )
    changed = [{**tool, "description": f"{tool['description']} {VECTORS[8]}"} for tool in tools]
    version = actions.new_server_version(actor=None, server=server, found=found_server(*changed, name=VECTORS[0]))
    review = actions.submit(actor=None, version=version, note=VECTORS[8])
    skills = [{"id": vector, "name": vector, "description": vector, "tags": [vector], "examples": [vector]} for vector in VECTORS]
    agent = live_agent(
        slug="hostile", found=found_card(name=VECTORS[8], description=everything, skills=skills, provider={"organization": VECTORS[8]})
    )
    skill = live_skill(name="hostile", description=VECTORS[8], body=everything)
    second = actions.register_skill(actor=None, source=skill_archive("hostile", body=everything + VECTORS[0], notes_dot_md=everything))
    skill_review = actions.submit(actor=None, version=second)
    agent_version = agent.live_version
    assert agent_version is not None
    actions.freeze(actor=None, item=live_server(slug="frozen", title="Frozen"), reason=VECTORS[8])
    return [
        "/",
        "/?q=script",
        f"/?q={quote(VECTORS[8])}",
        "/catalog/server/hostile/",
        "/catalog/server/frozen/",
        "/catalog/agent/hostile/",
        "/catalog/skill/hostile/",
        f"/admin/registry/server/{server.pk}/change/",
        f"/admin/registry/server/{server.pk}/version/{version.pk}/",
        f"/admin/registry/tool/{server.tools.first().pk}/change/",  # type: ignore[union-attr]
        "/admin/registry/tool/",
        "/admin/registry/review/?decision__exact=pending",
        f"/admin/registry/review/{review.pk}/change/",
        f"/admin/registry/review/{skill_review.pk}/change/",
        f"/admin/registry/agent/{agent.pk}/change/",
        f"/admin/registry/agent/{agent.pk}/version/{agent_version.pk}/",
        f"/admin/registry/skill/{skill.pk}/version/{second.pk}/",
    ]


def harmless(client: Client) -> dict[str, list[str]]:
    """What the same pages hold of elements and attributes that could run, when all their text is innocent."""
    server = live_server(slug="plain")
    version = actions.new_server_version(actor=None, server=server, found=found_server({**FORECAST, "title": "Other"}))
    review = actions.submit(actor=None, version=version)
    skill = draft_skill(name="plain")
    agent = live_agent(slug="plain")
    pages = {
        "server": f"/admin/registry/server/{server.pk}/change/",
        "version": f"/admin/registry/server/{server.pk}/version/{version.pk}/",
        "tool": f"/admin/registry/tool/{server.tools.first().pk}/change/",  # type: ignore[union-attr]
        "tools": "/admin/registry/tool/",
        "inbox": "/admin/registry/review/?decision__exact=pending",
        "review": f"/admin/registry/review/{review.pk}/change/",
        "agent": f"/admin/registry/agent/{agent.pk}/change/",
        "skill": f"/admin/registry/skill/{skill.skill_id}/version/{skill.pk}/",
        "draft": f"/admin/registry/server/{draft_server(slug='draft').server_id}/change/",
    }
    return {name: Page(client.get(url)).unsafe() for name, url in pages.items()}


def test_no_page_holds_an_element_or_attribute_of_the_corpus(client: Client, hostile_pages: list[str]) -> None:
    theme = {found for page in harmless(client).values() for found in page}
    for url in hostile_pages:
        answer = client.get(url)
        assert answer.status_code == 200, url
        found = Page(answer).unsafe()
        expected = set() if not url.startswith("/admin/") else theme
        assert [sign for sign in found if sign not in expected and not sign.startswith("formaction='/admin/")] == [], url
        assert "evil.example" not in " ".join(str(attrs) for tag, attrs in Page(answer).tags if tag in {"img", "link", "script", "iframe"})
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """While it is open its event loop belongs to this thread, so Django's database can't be asked anything."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_nothing_of_the_corpus_runs_in_a_browser_even_without_the_policy(client: Client, hostile_pages: list[str]) -> None:
    """The pages are served to Chromium as they are, but without their content security policy: sanitizing alone has to hold."""
    bodies = {"/control/": "<script>boom()</script>"} | {url: client.get(url).content.decode() for url in hostile_pages}
    caught: list[str] = []

    def answer(route: Route, request: Request) -> None:
        path = request.url.removeprefix("http://house.test")
        if path in bodies:
            route.fulfill(body=bodies[path], content_type="text/html")
        elif path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/").partition("?")[0])
            route.fulfill(path=found) if isinstance(found, str) else route.fulfill(status=404)
        else:
            if not path.startswith(("/admin/jsi18n", "/favicon.ico")):
                caught.append(f"a request for {request.url}")
            route.fulfill(status=204)

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", answer)
        page.on("dialog", lambda dialog: caught.append(f"dialog at {page.url}"))
        page.expose_function("boom", lambda: caught.append(f"boom at {page.url}"))
        for url in bodies:
            page.goto(f"http://house.test{url}", wait_until="load")
            page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
            page.evaluate("document.querySelectorAll('a').forEach((one) => one.dispatchEvent(new MouseEvent('mouseover')))")
    assert caught == ["boom at http://house.test/control/"], "only the page without any defence may run it"
