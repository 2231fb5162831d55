"""The a2a SDK's own client, made from the card that the house serves, over a real socket to a real SDK agent."""

from __future__ import annotations

import pytest
from a2a.helpers import get_stream_response_text, new_text_message
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import TaskNotFoundError

from tests.agentgateway.conftest import AgentHouse
from tests.fakes.agents import Planner
from tests.fakes.recording import Recorder


def ask(text: str) -> SendMessageRequest:
    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_client_sends_a_message(house: AgentHouse, planner: Recorder, streaming: bool) -> None:
    async with house.sdk(streaming=streaming) as client:
        answers = [event async for event in client.send_message(ask("hello"))]

    assert [get_stream_response_text(answer) for answer in answers] == ["You said: hello"]
    event = house.settled()
    operation = "SendStreamingMessage" if streaming else "SendMessage"
    assert (event.plane, event.agent, event.tool, event.outcome, event.usage) == ("a2a", "planner", operation, "ok", {"requests": 1})
    assert event.cost == "0"


async def test_a_client_streams_a_task(house: AgentHouse, planner: Recorder) -> None:
    async with house.sdk() as client:
        seen: list[StreamResponse] = [event async for event in client.send_message(ask("stream"))]

    assert [event.WhichOneof("payload") for event in seen] == ["task", "status_update", *["artifact_update"] * 3, "status_update"]
    assert [part.text for event in seen for part in event.artifact_update.artifact.parts] == ["step 1", "step 2", "step 3"]
    assert seen[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    assert house.settled().outcome == "ok"


async def test_a_client_follows_and_cancels_its_task(house: AgentHouse, planner: Recorder, executor: Planner) -> None:
    async with house.sdk() as client:
        stream = client.send_message(ask("hold"))
        task = (await anext(stream)).task
        assert (await anext(stream)).status_update.status.state == TaskState.TASK_STATE_WORKING

        got = await client.get_task(GetTaskRequest(id=task.id))
        listed = await client.list_tasks(ListTasksRequest())
        following = client.subscribe(SubscribeToTaskRequest(id=task.id))
        followed = (await anext(following)).task
        cancelled = await client.cancel_task(CancelTaskRequest(id=task.id))
        rest = [event async for event in following]
        await stream.aclose()

    assert got.id == followed.id == task.id
    assert [item.id for item in listed.tasks] == [task.id]
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
    assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
    assert executor.cancelled == 1


async def test_a_client_sets_and_lists_push_notifications(house: AgentHouse, planner: Recorder, executor: Planner) -> None:
    async with house.sdk() as client:
        stream = client.send_message(ask("hold"))
        task = (await anext(stream)).task
        config = TaskPushNotificationConfig(task_id=task.id, id="c1", url="https://hooks.example/a2a")
        made = await client.create_task_push_notification_config(config)
        listed = await client.list_task_push_notification_configs(ListTaskPushNotificationConfigsRequest(task_id=task.id))
        await client.cancel_task(CancelTaskRequest(id=task.id))
        await stream.aclose()

    assert made.url == "https://hooks.example/a2a"
    assert [item.id for item in listed.configs] == ["c1"]


async def test_the_extended_card_names_the_house_and_not_the_agent(house: AgentHouse, planner: Recorder) -> None:
    async with house.sdk() as client:
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())

    assert card.description == "Plans things, and more for those it knows."
    assert [interface.url for interface in card.supported_interfaces] == ["http://house.example/a2a/planner"]
    assert "upstream.internal" not in str(card)


async def test_a_task_of_a_team_mate_does_not_exist(house: AgentHouse, planner: Recorder, executor: Planner) -> None:
    mate = house.mate()
    async with house.sdk() as client, house.sdk(key=mate) as other:
        tasks = [event.task.id async for event in client.send_message(ask("stream")) if event.HasField("task")]

        with pytest.raises(TaskNotFoundError):
            await other.get_task(GetTaskRequest(id=tasks[0]))
        with pytest.raises(TaskNotFoundError):
            await other.cancel_task(CancelTaskRequest(id=tasks[0]))
        with pytest.raises(TaskNotFoundError):
            await anext(other.subscribe(SubscribeToTaskRequest(id=tasks[0])))
        assert list((await other.list_tasks(ListTasksRequest())).tasks) == []
        assert [task.id for task in (await client.list_tasks(ListTasksRequest())).tasks] == tasks
    assert [seen.json["method"] for seen in planner.seen].count("GetTask") == 0
