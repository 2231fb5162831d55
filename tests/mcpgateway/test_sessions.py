"""Session ids hold the upstream's own, sealed for one principal and one server."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import NotFound
from dataplane.sealing import Sealer
from mcpgateway.proxy import sessions
from mcpgateway.proxy.sessions import Session, Sessions

KEY, OTHER = b"k" * 32, b"o" * 32
SESSION = Session(upstream="abc", url="http://u/mcp")
HERE = {"principal": "user:1", "slug": "weather", "url": "http://u/mcp"}


def issued(opener: Sessions) -> str:
    return opener.issue(SESSION, principal="user:1", slug="weather")


def test_any_worker_with_the_key_can_serve_a_session() -> None:
    text = issued(Sessions(Sealer(KEY)))

    assert Sessions(Sealer(KEY)).find(text, **HERE) == SESSION
    assert Sessions(Sealer(OTHER, KEY)).find(text, **HERE) == SESSION


def test_an_id_is_visible_ascii_and_does_not_show_the_upstream_s() -> None:
    text = Sessions(Sealer(KEY)).issue(Session(upstream="a-secret-session", url="u"), principal="user:1", slug="weather")

    assert all(0x21 <= ord(character) <= 0x7E for character in text)
    assert b"a-secret-session" not in base64.urlsafe_b64decode(text + "==")


@pytest.mark.parametrize(
    "changed", [{"principal": "user:2"}, {"principal": "user:11"}, {"slug": "weather2"}, {"slug": "other"}, {"url": "http://v/mcp"}]
)
def test_an_id_opens_for_its_principal_at_its_server_and_nowhere_else(changed: dict[str, str]) -> None:
    opener = Sessions(Sealer(KEY))
    text = issued(opener)
    assert opener.find(text, **HERE) == SESSION

    with pytest.raises(NotFound) as caught:
        opener.find(text, **{**HERE, **changed})

    assert caught.value.code == "session_not_found"


@given(st.text(max_size=80))
def test_a_made_up_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        Sessions(Sealer(KEY)).find(text, **HERE)


@given(st.data())
def test_an_id_with_one_changed_character_is_not_found(data: st.DataObject) -> None:
    opener = Sessions(Sealer(KEY))
    text = issued(opener)
    at = data.draw(st.integers(0, len(text) - 2))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789-_").filter(lambda character: character != text[at]))

    with pytest.raises(NotFound):
        opener.find(text[:at] + other + text[at + 1 :], **HERE)


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD", 3)
    opener = Sessions(Sealer(KEY))
    texts = [issued(opener) for _ in range(10)]

    assert all(opener.find(text, **HERE) == SESSION for text in texts)
    assert len(opener._held) == 3
