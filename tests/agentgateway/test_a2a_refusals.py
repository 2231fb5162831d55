"""How the agent gateway says no, and what it lets through untouched."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from dataplane.snapshot import LimitRecord
from tests.agentgateway.conftest import AgentHouse, events, user_message
from tests.fakes.agents import Planner
from tests.fakes.mcp_servers import RawServer, Reply, result
from tests.fakes.recording import Recorder
from tests.fakes.serving import refusing


def error_of(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    error: dict[str, Any] = body["error"]
    info = error["data"][0]
    assert body["jsonrpc"] == "2.0"
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["metadata"]["requestId"] == answer.headers["x-request-id"]
    return error


def reason_of(answer: httpx.Response) -> str:
    return str(error_of(answer)["data"][0]["reason"])


def raw(house: AgentHouse, script: Any, **more: Any) -> Recorder:
    recorder = Recorder(RawServer(script))
    house.serve_agent("planner", recorder, **more)
    house.grant("agent:planner")
    return recorder


def task(task_id: str, context: str = "", state: str = "TASK_STATE_WORKING") -> dict[str, Any]:
    return {"id": task_id, "contextId": context, "status": {"state": state}}


def test_a_wrong_key_is_refused(house: AgentHouse, planner: Recorder) -> None:
    answer = house.call("planner", "GetTask", {"id": "x"}, key="ch_00000000_wrong")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert reason_of(answer) == "INVALID_API_KEY"
    assert planner.seen == []


@pytest.mark.parametrize("path", ["", "/", "/.well-known/agent-card.json"])
def test_an_agent_that_is_not_granted_answers_like_one_that_does_not_exist(house: AgentHouse, planner: Recorder, path: str) -> None:
    nobody = {"x-api-key": house.contents.key("nobody")}
    house.publish()

    def ask(slug: str) -> tuple[int, bytes]:
        method = "GET" if "well-known" in path else "POST"
        answer = house.http.request(method, f"/a2a/{slug}{path}", headers=nobody)
        return answer.status_code, answer.content.replace(answer.headers["x-request-id"].encode(), b"")

    assert ask("planner") == ask("nowhere")
    assert ask("planner")[0] == 404


def test_an_address_below_an_agent_is_nobody_s(house: AgentHouse, planner: Recorder) -> None:
    assert house.call("planner/tasks", "GetTask").status_code == 404
    assert house.http.get("/a2a/planner", headers={"x-api-key": house.key}).status_code == 405


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"", -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]', -32600),
        (b'{"jsonrpc":"2.0","method":"SendMessage","params":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"message/send"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"NoSuch"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":[]}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"taskId":7}}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"taskId":"a","task_id":"b"}}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"taskid":"a"}}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"referenceTaskIds":"a"}}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":["a"]}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"ID":"a"}}', -32600),
    ],
)
def test_what_is_no_request_is_refused_in_the_protocol_s_words(house: AgentHouse, planner: Recorder, body: bytes, code: int) -> None:
    answer = house.call("planner", body)

    assert answer.status_code == 200
    assert error_of(answer)["code"] == code
    assert planner.seen == []
    assert house.journaled() == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_message_and_its_answer_pass_byte_for_byte(house: AgentHouse, slash: str) -> None:
    body = b'{"jsonrpc": "2.0", "id":1, "result":{"message":{"messageId":"a","role":"ROLE_AGENT","parts":[],"new":1.0}},"x":null}'
    recorder = raw(house, lambda message, headers: Reply(body=body, headers={"a2a-extensions": "https://e.example/1"}))
    message = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": user_message("hé"), "later": {"n": 1.0}}}
    sent = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()

    answer = house.call(f"planner{slash}", sent, a2a_extensions="https://e.example/1", x_actor="somebody else")

    assert answer.content == body
    assert answer.headers["a2a-extensions"] == "https://e.example/1"
    seen = recorder.seen[0]
    assert seen.body == sent
    assert (seen.headers["a2a-version"], seen.headers["a2a-extensions"]) == ("1.0", "https://e.example/1")
    assert not {"authorization", "x-actor"} & seen.headers.keys()


def test_the_version_may_come_in_the_address(house: AgentHouse) -> None:
    recorder = raw(house, lambda message, headers: result(message, {}))
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x"}})

    house.http.post("/a2a/planner?A2A-Version=1.0", content=body, headers={"x-api-key": house.key})
    house.http.post("/a2a/planner", content=body, headers={"x-api-key": house.key})

    assert [seen.headers.get("a2a-version") for seen in recorder.seen] == ["1.0", None]


def test_the_agent_is_called_with_its_own_credential(house: AgentHouse) -> None:
    recorder = raw(house, lambda message, headers: result(message, {}), secret="theirs", credential_header="x-agent-key")

    house.call("planner", "GetTask", {"id": "x"})

    assert recorder.seen[0].headers["x-agent-key"] == "theirs"
    assert house.key not in str(recorder.seen[0].headers)


def test_what_an_agent_says_no_to_passes_as_it_is(house: AgentHouse, planner: Recorder) -> None:
    answer = house.call("planner", "GetTask", {"id": "no-such-task"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32001)
    event = house.settled()
    assert (event.outcome, event.tool) == ("error", "GetTask")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("GetTask", {"id": "t1"}),
        ("CancelTask", {"id": "t1"}),
        ("SubscribeToTask", {"id": "t1"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "t1", "url": "https://hooks.example/"}),
        ("GetTaskPushNotificationConfig", {"task_id": "t1", "id": "c"}),
        ("ListTaskPushNotificationConfigs", {"taskId": "t1"}),
        ("DeleteTaskPushNotificationConfig", {"taskId": "t1", "id": "c"}),
        ("SendMessage", {"message": {"taskId": "t1"}}),
        ("SendMessage", {"message": {"task_id": "t1"}}),
        ("SendStreamingMessage", {"message": {"referenceTaskIds": ["t0", "t1"]}}),
    ],
)
def test_a_foreign_task_is_not_found_by_any_operation(house: AgentHouse, method: str, params: dict[str, Any]) -> None:
    recorder = raw(house, lambda message, headers: result(message, {"task": task("t1", "c1")}))
    house.send("begin", key=house.mate())

    answer = house.call("planner", method, params)

    assert answer.status_code == 200
    assert (error_of(answer)["code"], reason_of(answer)) == (-32001, "TASK_NOT_FOUND")
    assert len(recorder.seen) == 1


def test_a_foreign_context_can_not_be_continued(house: AgentHouse) -> None:
    recorder = raw(house, lambda message, headers: result(message, {"message": {"messageId": "a", "contextId": "c1"}}))
    house.send("begin", key=house.mate())

    answer = house.send("go on", contextId="c1")

    assert error_of(answer)["code"] == -32602
    assert len(recorder.seen) == 1


def test_a_list_of_tasks_holds_the_caller_s_own(house: AgentHouse) -> None:
    listing = {"tasks": [task("t1"), task("t2", "c2"), task("t3", "c2"), task("t4")], "totalSize": 4, "pageSize": 50, "nextPageToken": ""}

    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        text = message["params"].get("message", {}).get("parts", [{}])[0].get("text")
        return result(message, {"task": task(text, "c2" if text == "t2" else "")} if text else listing)

    raw(house, script)
    house.send("t1", key=house.mate())
    house.send("t2")

    answer = house.call("planner", "ListTasks").json()["result"]

    assert answer == {"tasks": [task("t2", "c2"), task("t3", "c2")], "totalSize": 2, "pageSize": 50, "nextPageToken": ""}


@pytest.mark.parametrize("bad", [{"tasks": "x"}, {"tasks": [1]}, {"tasks": [{"id": 7}]}, [1], "x"])
def test_a_list_that_can_not_be_read_is_not_shown(house: AgentHouse, bad: Any) -> None:
    raw(house, lambda message, headers: result(message, bad))

    answer = house.call("planner", "ListTasks")

    assert answer.status_code == 502
    assert reason_of(answer) == "UPSTREAM_PROTOCOL_ERROR"


def test_a_card_can_not_be_smuggled_out_in_a_stream(house: AgentHouse) -> None:
    event = b'data: {"jsonrpc":"2.0","id":1,"result":{"supportedInterfaces":[{"url":"http://inside/"}]}}\n\n'
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=[event]))

    assert house.call("planner", "GetExtendedAgentCard").status_code == 502


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]/", "http://2130706433/", "file:///etc/passwd"]
)
@pytest.mark.parametrize("spelling", ["taskPushNotificationConfig", "task_push_notification_config", ""])
def test_a_push_address_that_the_house_would_not_call_is_refused(house: AgentHouse, url: str, spelling: str) -> None:
    recorder = raw(house, lambda message, headers: result(message, {}), allow_private_network=False)
    if spelling:
        answer = house.call("planner", "SendMessage", {"message": user_message("x"), "configuration": {spelling: {"url": url}}})
    else:
        answer = house.call("planner", "CreateTaskPushNotificationConfig", {"taskId": "t", "url": url})

    assert error_of(answer)["code"] == -32602
    assert reason_of(answer) == "ADDRESS_REFUSED"
    assert recorder.seen == []


def test_an_agent_that_is_down_is_a_502(house: AgentHouse) -> None:
    with refusing() as url:
        house.register("planner", url)
        house.grant("agent:planner")
        answer = house.send("hi")

    assert answer.status_code == 502
    assert error_of(answer)["code"] == -32603
    event = house.settled()
    assert (event.outcome, event.status, event.cost) == ("error", 502, "0")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(body=b"<html>"), "UPSTREAM_PROTOCOL_ERROR"),
        (Reply(body=b"[]"), "UPSTREAM_PROTOCOL_ERROR"),
        (Reply(status=500, body=b"boom"), "UPSTREAM_ERROR"),
        (Reply(status=404, body=b"nothing here"), "UPSTREAM_REFUSED"),
        (Reply(status=401, body=b"{}"), "UPSTREAM_UNAUTHORIZED"),
        (Reply(content_type="text/event-stream", chunks=[b"data: x\n\n"]), "UPSTREAM_PROTOCOL_ERROR"),
    ],
)
def test_an_agent_that_answers_nonsense_is_a_502(house: AgentHouse, reply: Reply, reason: str) -> None:
    raw(house, lambda message, headers: reply)

    answer = house.send("hi", stream=True)

    assert (answer.status_code, reason_of(answer)) == (502, reason)


def test_an_agent_that_hangs_is_a_504(house: AgentHouse) -> None:
    raw(house, lambda message, headers: Reply(hang=True), read_timeout=0.3)

    assert house.send("hi").status_code == 504
    assert house.settled().estimated


def test_a_stream_that_breaks_ends_with_an_error(house: AgentHouse) -> None:
    first = b'data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t"}}}\n\n'
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=[first], hang=True), read_timeout=0.3)

    answer = house.send("hi", stream=True)

    seen = events(answer)
    assert seen[0]["result"]["task"]["id"] == "t"
    assert seen[-1]["error"]["data"][0]["reason"] == "UPSTREAM_TIMEOUT"
    assert house.settled().outcome == "error"


def test_a_caller_that_leaves_ends_no_task(house: AgentHouse, planner: Recorder, executor: Planner) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": user_message("hold")}}
    headers = {"x-api-key": house.key, "a2a-version": "1.0"}
    with house.http.stream("POST", "/a2a/planner", json=body, headers=headers) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        task_id = json.loads(next(lines).removeprefix("data: "))["result"]["task"]["id"]
        next(lines)

    assert house.settled().outcome == "aborted"
    planner.wait_for_cut()
    after = house.call("planner", "GetTask", {"id": task_id}).json()["result"]
    assert after["status"]["state"] == "TASK_STATE_WORKING"
    assert executor.cancelled == 0
    executor.let_go()


def test_a_priced_agent_costs_its_price_per_message_and_nothing_for_looking(house: AgentHouse) -> None:
    raw(house, lambda message, headers: result(message, {"task": task("t1")}), price="0.25")

    house.send("hi")
    house.call("planner", "GetTask", {"id": "t1"})

    sent, looked = house.all_settled(2)
    assert (sent.cost, looked.cost) == ("0.25", "0")


def test_a_rate_limit_is_told_in_the_protocol_s_shape(house: AgentHouse) -> None:
    raw(house, lambda message, headers: result(message, {}))
    key = house.contents.key("slow", team=house.team, limits=LimitRecord(rpm=1))
    house.publish()

    answers = [house.send("hi", key=key) for _ in range(3)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert reason_of(answers[-1]) == "RATE_LIMIT_EXCEEDED"
