"""A credential that was entered is never seen again: on no page, in no answer, in no export, in no log, in no audit row."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from django.core import serializers
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from audit.models import AuditEvent
from config.models import PublishedSection
from config.publish import publish_everything
from identity.models import User
from llmgateway import actions
from llmgateway.models import Provider
from llmgateway.tasks import check_providers
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, sign_in

SECOND = "sk-canary-second-55aa"
KEYS = json.dumps({"access_key_id": "AKIDCANARY", "secret_access_key": "canary-secret-of-aws"})
SECRETS = (CANARY, SECOND, "canary-secret-of-aws")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def unseen(text: str | bytes, where: str) -> None:
    shown = text if isinstance(text, bytes) else text.encode()
    for secret in SECRETS:
        assert secret.encode() not in shown, where
        assert json.dumps(secret)[1:-1].encode() not in shown, where


def test_no_page_answer_export_log_or_audit_row_holds_a_credential(
    client: Client, api: APIClient, admin: User, local_provider: Provider, vendor: Vendor, log: io.StringIO
) -> None:
    sign_in(client, admin)
    api.force_authenticate(admin)
    pk = local_provider.pk
    # A provider that echoes whatever it was sent.
    vendor.fallback = lambda asked: said(
        {"error": {"message": f"unknown key {asked.header('authorization')} for {asked.headers}"}}, status=401
    )

    def admin_page(name: str, *args: int) -> str:
        return reverse(f"admin:llmgateway_provider_{name}", args=args)

    for form in ({"api_key": SECOND}, {"api_key": CANARY, "base_url": "http://"}, {"api_key": "two canary words"}):
        typed = {"name": "local", "dialect": "openai", "base_url": local_provider.base_url, "allow_private_network": "on", "headers": "{}"}
        typed |= {"connect_timeout": "5", "read_timeout": "300", "total_timeout": "900", "enabled": "on", **form}
        unseen(client.post(admin_page("change", pk), typed, follow=True).content, f"the form after {form}")
    actions.create_provider(
        actor=admin, name="aws", dialect="bedrock", base_url="https://bedrock-runtime.eu-west-1.amazonaws.com", api_key=KEYS
    )

    for name, args in (("changelist", ()), ("change", (pk,)), ("history", (pk,)), ("delete", (pk,)), ("import", (pk,))):
        unseen(client.get(admin_page(name, *args)).content, name)
    unseen(client.post(admin_page("test", pk), headers={"HX-Request": "true"}).content, "the test panel")
    unseen(client.post(admin_page("test", pk), follow=True).content, "the page after a test")
    exported = client.post(admin_page("changelist"), {"action": "export_csv", "_selected_action": [pk]})
    assert b"local" in b"".join(exported.streaming_content if exported.streaming else [exported.content])
    unseen(b"".join(exported.streaming_content) if exported.streaming else exported.content, "the CSV export")

    for answer in (
        api.get("/api/v1/providers/"),
        api.get(f"/api/v1/providers/{pk}/"),
        api.patch(f"/api/v1/providers/{pk}/", {"api_key": SECOND}, format="json"),
        api.patch(f"/api/v1/providers/{pk}/", {"api_key": f"{SECOND} x"}, format="json"),
        api.post(f"/api/v1/providers/{pk}/test/"),
        api.options("/api/v1/providers/"),
    ):
        unseen(answer.content, "an API answer")

    check_providers()
    unseen(Provider.objects.get(pk=pk).last_error, "the health state")
    unseen(json.dumps([[event.changes, event.extra, event.target_label] for event in AuditEvent.objects.all()]), "the audit trail")
    unseen(serializers.serialize("json", Provider.objects.all()), "a dump of the rows")
    unseen(repr(Provider.objects.get(pk=pk).__dict__), "a row's repr")
    publish_everything()
    unseen(bytes(PublishedSection.objects.get(name="llm").body), "the published section")
    out = io.StringIO()
    call_command("export", stdout=out)
    assert "local" in out.getvalue()
    unseen(out.getvalue(), "the exported configuration")
    unseen(log.getvalue(), "the log")
