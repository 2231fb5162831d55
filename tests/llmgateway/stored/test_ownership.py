"""Whose a stored thing is: its owner's and the owner's team's. To anybody else it does not exist."""

from __future__ import annotations

import json

import httpx
import pytest

from dataplane.pins import Pin
from tests.fakes.contents import Contents
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.fakes.serving import Serve
from tests.fakes.storing import Person, Vendor

JSON = {"content-type": "application/json"}

ABOUT_A_RESPONSE = [
    ("GET", "/v1/responses/{}"),
    ("DELETE", "/v1/responses/{}"),
    ("GET", "/v1/responses/{}/input_items"),
    ("POST", "/v1/responses/{}/cancel"),
    ("GET", "/v1/responses/{}?stream=true&starting_after=7"),
]
ABOUT_A_CONVERSATION = [
    ("GET", "/v1/conversations/{}"),
    ("POST", "/v1/conversations/{}"),
    ("DELETE", "/v1/conversations/{}"),
    ("POST", "/v1/conversations/{}/items"),
    ("GET", "/v1/conversations/{}/items"),
    ("GET", "/v1/conversations/{}/items/msg_1"),
    ("DELETE", "/v1/conversations/{}/items/msg_1"),
]
ABOUT_A_VECTOR_STORE = [
    ("GET", "/v1/vector_stores/{}"),
    ("POST", "/v1/vector_stores/{}"),
    ("DELETE", "/v1/vector_stores/{}"),
    ("POST", "/v1/vector_stores/{}/search"),
    ("POST", "/v1/vector_stores/{}/files"),
    ("GET", "/v1/vector_stores/{}/files"),
    ("GET", "/v1/vector_stores/{}/files/file_1"),
    ("POST", "/v1/vector_stores/{}/files/file_1"),
    ("DELETE", "/v1/vector_stores/{}/files/file_1"),
    ("GET", "/v1/vector_stores/{}/files/file_1/content"),
    ("POST", "/v1/vector_stores/{}/file_batches"),
    ("GET", "/v1/vector_stores/{}/file_batches/vsfb_1"),
    ("POST", "/v1/vector_stores/{}/file_batches/vsfb_1/cancel"),
    ("GET", "/v1/vector_stores/{}/file_batches/vsfb_1/files"),
]
ABOUT_A_FILE = [("GET", "/v1/files/{}"), ("GET", "/v1/files/{}/content"), ("DELETE", "/v1/files/{}")]
ABOUT_A_BATCH = [("GET", "/v1/batches/{}"), ("POST", "/v1/batches/{}/cancel")]
EVERY = [
    *(("response", *one) for one in ABOUT_A_RESPONSE),
    *(("conversation", *one) for one in ABOUT_A_CONVERSATION),
    *(("vector_store", *one) for one in ABOUT_A_VECTOR_STORE),
    *(("file", *one) for one in ABOUT_A_FILE),
    *(("batch", *one) for one in ABOUT_A_BATCH),
]


def stored_thing(house: House, kind: str) -> str:
    """One of the team's, without a call that makes it."""
    provider = house.contents.providers["openai"]
    house.kit.pins.remember(f"{kind}_1", Pin(provider=provider.id, provider_name="openai", owner=f"team:{house.team}", kind=kind))
    return f"{kind}_1"


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and text of a refusal, without the id that was asked for."""
    error = answer.json()["error"]
    assert answer.headers["x-request-id"] == error["request_id"]
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize(("kind", "method", "path"), EVERY)
def test_a_stranger_gets_the_answer_of_a_thing_that_does_not_exist_and_nothing_reaches_the_provider(
    kind: str, method: str, path: str, house: House, stranger: Person, vendor: Vendor
) -> None:
    theirs, never = stored_thing(house, kind), f"{kind}_2"
    body = {"content": b"{}", "headers": JSON} if method == "POST" else {}
    foreign = stranger.ask(method, path.format(theirs), **body)
    absent = stranger.ask(method, path.format(never), **body)
    assert refused(foreign)[:2] == (404, "not_found")
    assert refused(foreign)[2].replace(theirs, "ID") == refused(absent)[2].replace(never, "ID")
    assert vendor.asked == []


@pytest.mark.parametrize(("kind", "method", "path"), EVERY)
def test_a_team_mate_reaches_what_the_team_has_stored_under_the_houses_credential(
    kind: str, method: str, path: str, house: House, team_mate: Person, vendor: Vendor
) -> None:
    ident = stored_thing(house, kind)
    body = {"content": b"{}", "headers": JSON} if method == "POST" else {}
    answer = team_mate.ask(method, path.format(ident), **body)
    assert answer.status_code == 200
    address, _, query = path.format(ident).removeprefix("/v1").partition("?")
    assert vendor.asked == [f"{method} {address}"]
    assert answer.json() == {"asked": f"{method} {address}", "query": query, "id": "ignored"}
    asked = vendor.provider.last
    assert asked.header("authorization") == "Bearer sk-openai"
    assert team_mate.key not in str(asked.headers)


def test_a_thing_of_another_kind_does_not_exist_under_an_address(house: House, owner: Person, vendor: Vendor) -> None:
    ident = stored_thing(house, "file")
    assert owner.ask("GET", f"/v1/responses/{ident}").status_code == 404
    assert vendor.asked == []


def test_a_person_without_a_team_has_things_of_their_own(house: House, vendor: Vendor) -> None:
    people = []
    for number in (901, 902):
        key = house.contents.key(f"alone-{number}", owner=number)
        house.contents.grant(f"user:{number}", "model:gpt")
        people.append(Person(house, key))
    house.publish()
    made = people[0].ask("POST", "/v1/conversations", json={}).json()["id"]
    assert people[0].ask("GET", f"/v1/conversations/{made}").status_code == 200
    assert people[1].ask("GET", f"/v1/conversations/{made}").status_code == 404


def test_whoever_lost_the_last_grant_that_leads_to_an_account_lost_what_is_stored_there(
    house: House, owner: Person, vendor: Vendor
) -> None:
    made = owner.ask("POST", "/v1/conversations", json={}).json()["id"]
    house.contents.grants[f"team:{house.team}"].clear()
    house.publish()
    assert owner.ask("GET", f"/v1/conversations/{made}").status_code == 404
    assert vendor.asked == ["POST /conversations"]


def test_what_was_deleted_does_not_exist_any_more(owner: Person, vendor: Vendor) -> None:
    made = owner.ask("POST", "/v1/vector_stores", json={"name": "mine"}).json()["id"]
    assert owner.ask("DELETE", f"/v1/vector_stores/{made}").status_code == 200
    assert owner.ask("GET", f"/v1/vector_stores/{made}").status_code == 404
    assert vendor.asked == ["POST /vector_stores", f"DELETE /vector_stores/{made}"]


def test_what_the_provider_would_not_delete_is_still_there(owner: Person, vendor: Vendor) -> None:
    made = owner.ask("POST", "/v1/conversations", json={}).json()["id"]
    vendor.answers(f"DELETE /conversations/{made}", {"error": {"message": "busy"}}, status=409)
    refusal = owner.ask("DELETE", f"/v1/conversations/{made}")
    assert (refusal.status_code, refusal.json()) == (409, {"error": {"message": "busy"}})
    assert owner.ask("GET", f"/v1/conversations/{made}").status_code == 200


REFERRING = [
    ("/v1/vector_stores", {"file_ids": ["file_9"]}),
    ("/v1/vector_stores/vector_store_1/files", {"file_id": "file_9"}),
    ("/v1/vector_stores/vector_store_1/file_batches", {"files": [{"file_id": "file_9"}]}),
    ("/v1/conversations", {"items": [{"type": "message", "role": "user", "content": [{"type": "input_file", "file_id": "file_9"}]}]}),
    ("/v1/conversations/conversation_1/items", {"items": [{"type": "item_reference", "id": "msg_9"}]}),
    ("/v1/responses/input_tokens", {"model": "gpt", "previous_response_id": "resp_9"}),
    ("/v1/responses/compact", {"model": "gpt", "input": [{"id": "msg_9"}]}),
    ("/v1/responses/compact", {"model": "gpt", "input": "Hello.", "tools": [{"type": "file_search", "vector_store_ids": ["vs_9"]}]}),
]


@pytest.mark.parametrize(("path", "body"), REFERRING)
def test_a_body_that_refers_to_what_the_caller_does_not_own_is_refused(
    path: str, body: dict[str, object], house: House, owner: Person, vendor: Vendor
) -> None:
    for kind in ("vector_store", "conversation"):
        stored_thing(house, kind)
    for ident in ("file_9", "msg_9", "resp_9", "vs_9"):
        house.kit.pins.remember(
            ident, Pin(provider=house.contents.providers["openai"].id, provider_name="openai", owner="team:77", kind="file")
        )
    assert refused(owner.ask("POST", path, json=body))[:2] == (404, "not_found")
    assert vendor.asked == []


def test_a_reference_whose_name_is_written_in_escapes_is_seen(owner: Person, vendor: Vendor) -> None:
    body = b'{"items": [{"type": "message", "content": [{"type": "input_file", "\\u0066ile_id": "file_9"}]}]}'
    assert owner.ask("POST", "/v1/conversations", content=body, headers=JSON).status_code == 404
    assert vendor.asked == []


def test_of_a_member_that_is_there_twice_the_provider_sees_the_one_that_was_looked_at(owner: Person, vendor: Vendor) -> None:
    body = b'{"items": [{"type": "message", "content": [{"file_id": "file_9"}]}], "items": []}'
    assert owner.ask("POST", "/v1/conversations", content=body, headers=JSON).status_code == 200
    assert vendor.provider.last.body == b'{"items":[]}'


@pytest.fixture
def second(house: House, serve: Serve) -> Provider:
    """Another account that the team's models lead to."""
    other = Provider()
    other.fallback = said({"id": "file_other"})
    contents: Contents = house.contents
    contents.provider("second", f"{serve(other)}/v1")
    contents.grant(f"team:{house.team}", contents.model("other", contents.deployment("second", "other-real")))
    house.publish()
    return other


def test_with_several_accounts_the_caller_has_to_say_where_a_thing_goes(owner: Person, second: Provider, vendor: Vendor) -> None:
    unclear = owner.upload(b"text")
    assert refused(unclear)[:2] == (400, "provider_ambiguous")
    assert "x-customhouse-model" in unclear.json()["error"]["message"]
    assert vendor.asked == []
    assert owner.upload(b"text", headers={"x-customhouse-model": "other"}).json() == {"id": "file_other"}
    assert owner.upload(b"text", headers={"x-customhouse-model": "gpt"}).json()["id"] == "file_1"
    assert [asked.path for asked in second.asked] == ["/v1/files"]


@pytest.mark.parametrize("model", ["hidden", "absent"])
def test_a_thing_does_not_go_to_where_only_a_model_that_is_not_granted_leads(model: str, owner: Person, vendor: Vendor) -> None:
    answer = owner.upload(b"text", headers={"x-customhouse-model": model})
    assert refused(answer)[:2] == (404, "model_not_found")
    assert vendor.asked == []


def test_things_at_different_providers_are_not_used_in_one_call(owner: Person, second: Provider, vendor: Vendor) -> None:
    here = owner.upload(b"text", headers={"x-customhouse-model": "gpt"}).json()["id"]
    there = owner.upload(b"text", headers={"x-customhouse-model": "other"}).json()["id"]
    both = owner.ask("POST", "/v1/vector_stores", json={"file_ids": [here, there]})
    assert refused(both)[:2] == (400, "stored_elsewhere")
    store = owner.ask("POST", "/v1/vector_stores", json={"file_ids": [here]}).json()["id"]
    assert refused(owner.ask("POST", f"/v1/vector_stores/{store}/files", json={"file_id": there}))[:2] == (400, "stored_elsewhere")
    assert vendor.asked == ["POST /files", "POST /vector_stores"]


@pytest.mark.parametrize(("method", "path", "allow"), [("PUT", "/v1/files", "GET, POST"), ("PATCH", "/v1/responses/resp_1", "DELETE, GET")])
def test_another_method_is_refused(method: str, path: str, allow: str, owner: Person, vendor: Vendor) -> None:
    answer = owner.ask(method, path)
    assert refused(answer)[:2] == (405, "method_not_allowed")
    assert answer.headers["allow"] == allow
    assert vendor.asked == []


@pytest.mark.parametrize("ident", ["..", ".", "%2e%2e%2fmodels", "a%20b", "a%0d%0ab", "x" * 201])
def test_what_can_be_no_id_leads_nowhere(ident: str, owner: Person, vendor: Vendor) -> None:
    assert owner.ask("GET", f"/v1/files/{ident}/content").status_code == 404
    assert vendor.asked == []


def test_without_a_key_nothing_is_told(house: House, vendor: Vendor) -> None:
    ident = stored_thing(house, "file")
    answer = house.http.get(f"/v1/files/{ident}")
    assert refused(answer)[0] == 401
    assert vendor.asked == []


def test_an_account_that_the_provider_does_not_accept_is_not_the_callers_fault(house: House, owner: Person, vendor: Vendor) -> None:
    ident = stored_thing(house, "file")
    vendor.answers(f"GET /files/{ident}", {"error": {"message": "bad key sk-openai"}}, status=401)
    answer = owner.ask("GET", f"/v1/files/{ident}")
    assert refused(answer)[:2] == (502, "upstream_account_refused")
    assert "sk-openai" not in answer.text


def test_an_id_that_a_provider_gives_out_twice_stays_with_who_had_it_first(owner: Person, stranger: Person, vendor: Vendor) -> None:
    vendor.answers("POST /conversations", {"id": "conv_same"})
    assert owner.ask("POST", "/v1/conversations", json={}).json() == {"id": "conv_same"}
    assert stranger.ask("POST", "/v1/conversations", json={}).json() == {"id": "conv_same"}
    assert stranger.ask("GET", "/v1/conversations/conv_same").status_code == 404
    assert owner.ask("GET", "/v1/conversations/conv_same").status_code == 200


def test_a_list_holds_only_ones_own_as_the_provider_wrote_them(owner: Person, stranger: Person, vendor: Vendor) -> None:
    mine = [owner.upload(b"text").json()["id"] for _ in range(3)]
    theirs = stranger.upload(b"text").json()["id"]
    items = [{"id": ident, "object": "file", "spaced": "Ü"} for ident in (mine[0], "file_of_nobody", theirs, mine[1])]
    first = json.dumps({"object": "list", "data": items, "has_more": True}, ensure_ascii=False)
    vendor.answers("GET /files", json.loads(first))
    pages = [json.loads(first), {"object": "list", "data": [{"id": mine[2], "object": "file"}], "has_more": False}]
    vendor.provider.then(*(said(page) for page in pages))

    answer = owner.ask("GET", "/v1/files?purpose=user_data&order=asc").json()

    assert answer == {
        "object": "list",
        "data": [items[0], items[3], pages[1]["data"][0]],
        "first_id": mine[0],
        "last_id": mine[2],
        "has_more": False,
    }
    queries = [asked.query for asked in vendor.provider.asked[-2:]]
    assert queries == ["purpose=user_data&order=asc&limit=10000", f"purpose=user_data&order=asc&limit=10000&after={mine[1]}"]

    vendor.provider.then(*(said(page) for page in pages))
    limited = owner.ask("GET", "/v1/files?limit=1").json()
    assert ([item["id"] for item in limited["data"]], limited["has_more"], limited["last_id"]) == ([mine[0]], True, mine[0])


@pytest.mark.parametrize(
    ("query", "status"), [("after=file_9", 404), ("limit=0", 400), ("limit=10001", 400), ("limit=x", 400), ("before=file_1", 400)]
)
def test_a_list_is_refused_for_what_it_can_not_begin_with(query: str, status: int, owner: Person, vendor: Vendor) -> None:
    assert owner.ask("GET", f"/v1/files?{query}").status_code == status
    assert vendor.asked == []
