"""Headers, sessions and logins of what people see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from identity.models import User

LOGIN = "/admin/login/"
PASSWORD = "a long enough passphrase"


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def person(admin: User) -> User:
    admin.set_password(PASSWORD)
    admin.save(update_fields=["password"])
    return admin


def _log_in(client: Client, name: str, password: str, **extra: str) -> int:
    return client.post(LOGIN, {"username": name, "password": password}, **extra).status_code


def test_pages_carry_a_content_security_policy_and_the_other_protections(client: Client, db: None) -> None:
    headers = client.get(LOGIN).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_only_the_admin_may_evaluate_expressions(client: Client, db: None) -> None:
    assert "'unsafe-eval'" in client.get(LOGIN).headers["Content-Security-Policy"]
    assert "unsafe" not in client.get("/api/v1/").headers["Content-Security-Policy"]


def test_a_session_ends_after_eight_hours_at_the_latest() -> None:
    assert timedelta(seconds=settings.SESSION_COOKIE_AGE) <= timedelta(hours=8)
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"


def test_passwords_are_hashed_with_argon2(person: User) -> None:
    assert person.password.startswith("argon2")


def test_after_five_wrong_passwords_even_the_right_one_waits(client: Client, person: User) -> None:
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        assert _log_in(client, "admin", "wrong") == 200
    response = client.post(LOGIN, {"username": "admin", "password": PASSWORD})
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) == settings.LOGIN_LOCK_SECONDS
    assert "sessionid" not in client.cookies
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_the_lock_is_on_the_name_at_that_address_and_not_on_the_person(client: Client, person: User) -> None:
    for _ in range(settings.LOGIN_FAILURES_PER_NAME):
        _log_in(client, "admin", "wrong", REMOTE_ADDR="203.0.113.9")
    assert _log_in(client, "admin", PASSWORD, REMOTE_ADDR="203.0.113.9") == 429
    assert _log_in(client, "admin", PASSWORD, REMOTE_ADDR="198.51.100.7") == 302


def test_one_address_that_tries_many_names_is_locked_too(client: Client, db: None, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = 8
    answers = [_log_in(client, f"nobody-{number}", "wrong") for number in range(settings.LOGIN_FAILURES_PER_ADDRESS + 1)]
    assert set(answers[:-1]) == {200}
    assert answers[-1] == 429


def test_a_login_that_works_forgets_the_names_failures(client: Client, person: User) -> None:
    for _ in range(settings.LOGIN_FAILURES_PER_NAME - 1):
        _log_in(client, "admin", "wrong")
    assert _log_in(client, "admin", PASSWORD) == 302
    client.post("/admin/logout/")
    assert _log_in(client, "admin", "wrong") == 200


def test_static_files_are_served_without_a_build_step(client: Client, db: None) -> None:
    response = client.get("/static/admin/css/base.css")
    assert response.status_code == 200
    assert b"".join(response.streaming_content)
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_api_documentation_is_for_those_who_are_logged_in_and_works_offline(client: Client, admin: User) -> None:
    assert client.get("/api/docs/").status_code in (401, 403)
    client.force_login(admin)
    page = client.get("/api/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://" not in page
    assert "<script>" not in page
    schema = client.get("/api/schema/?format=json").json()
    assert schema["openapi"].startswith("3.")
    assert all(path.startswith("/api/") for path in schema["paths"])
