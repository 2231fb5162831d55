"""A small A2A agent for the tour, made with the A2A SDK: it answers at once, or in steps when it is asked for a plan."""

from __future__ import annotations

from typing import Any

from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers.default_request_handler_v2 import DefaultRequestHandlerV2
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentProvider, AgentSkill, Role

PATH = "/sandbox/agent"
STEPS = ("Say what you want.", "Do the first thing.", "Look at what came of it.")


class Sandbox(AgentExecutor):
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        if "plan" not in text.casefold() or context.message is None:
            await event_queue.enqueue_event(new_text_message(f"This is the sandbox agent. You said: {text}", role=Role.ROLE_AGENT))
            return
        task = context.current_task or new_task_from_user_message(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        for number, step in enumerate(STEPS):
            last = number == len(STEPS) - 1
            await updater.add_artifact([new_text_part(step)], artifact_id="plan", append=number > 0, last_chunk=last)
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.task_id is not None and context.context_id is not None:
            await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def card(base_url: str) -> AgentCard:
    skill = AgentSkill(id="talk", name="Talk", description="Repeats what it is told, or makes a three-step plan.", tags=["sandbox"])
    return AgentCard(
        name="Sandbox agent",
        description="A sandbox: it repeats what it is told. Ask it for a plan to see a task with steps.",
        version="1.0.0",
        provider=AgentProvider(organization="Customhouse sandbox", url=base_url),
        supported_interfaces=[AgentInterface(url=f"{base_url}{PATH}/", protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[skill],
    )


def routes(base_url: str) -> list[Any]:
    own = card(base_url)
    handler = DefaultRequestHandlerV2(agent_executor=Sandbox(), task_store=InMemoryTaskStore(), agent_card=own)
    return [
        *create_jsonrpc_routes(handler, f"{PATH}/"),
        *create_agent_card_routes(own, card_url=f"{PATH}/.well-known/agent-card.json"),
    ]
