"""A real A2A 1.0 agent, built with the a2a SDK, to stand behind the gateway.

What it does is told by the text it gets: `stream` works in three steps, `hold` starts and waits until it is cancelled
or let go, anything else is answered at once with a message.
"""

from __future__ import annotations

import asyncio
from typing import Any

from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers.default_request_handler_v2 import DefaultRequestHandlerV2
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentProvider, AgentSkill, Role
from starlette.applications import Starlette

from tests.fakes.recording import Recorder


class Planner(AgentExecutor):
    """`running` counts executions that wait in `hold`; `cancelled` counts tasks that a caller cancelled."""

    def __init__(self) -> None:
        self.running = 0
        self.cancelled = 0
        self._release = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def let_go(self) -> None:
        """Ends every `hold`. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._release.set)

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        if text not in ("stream", "hold"):
            await event_queue.enqueue_event(new_text_message(f"You said: {text}", role=Role.ROLE_AGENT))
            return
        task = context.current_task
        if task is None:
            assert context.message is not None
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        if text == "hold":
            await self._hold()
        else:
            for step in (1, 2, 3):
                await updater.add_artifact([new_text_part(f"step {step}")], artifact_id="plan", append=step > 1, last_chunk=step == 3)
        await updater.complete()

    async def _hold(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.running += 1
        try:
            await self._release.wait()
        finally:
            self.running -= 1

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.cancelled += 1
        assert context.task_id is not None
        assert context.context_id is not None
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def card(url: str, *, name: str = "Planner") -> AgentCard:
    """The agent's own card, naming its own address."""
    skill = AgentSkill(id="plan", name="Plan", description="Makes a plan.", tags=["planning"], examples=["Plan my week"])
    return AgentCard(
        name=name,
        description="Plans things.",
        version="1.0.0",
        provider=AgentProvider(organization="Acme", url="https://acme.example"),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[skill],
    )


def agent(planner: Planner | None = None, *, url: str = "http://upstream.internal:9999/") -> Recorder:
    """The agent on HTTP: JSON-RPC at /, its card at the well-known path."""
    extended = card(url)
    extended.description = "Plans things, and more for those it knows."
    handler = DefaultRequestHandlerV2(
        agent_executor=planner or Planner(),
        task_store=InMemoryTaskStore(),
        agent_card=card(url),
        push_config_store=InMemoryPushNotificationConfigStore(),
        extended_agent_card=extended,
    )
    routes: list[Any] = [*create_jsonrpc_routes(handler, "/"), *create_agent_card_routes(card(url))]
    return Recorder(Starlette(routes=routes))
