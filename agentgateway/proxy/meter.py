"""Reads an agent's answer as it passes: whether it failed, which tasks it speaks of, and what in it is not for this caller."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agentgateway.proxy.operations import STREAMS
from agentgateway.proxy.refusals import HOUSE_DOMAIN, error_info
from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed
from dataplane.jsonrpc import INTERNAL_ERROR, Members, error_body, members_of
from dataplane.sse import Splitter, data_of, event, events

Rewrite = Callable[[msgspec.Raw], bytes]
Learn = Callable[[str, str], None]
"""Takes a task's id and its context's id, either maybe empty."""

TERMINAL = frozenset({"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"})
_TASK_RESULTS = frozenset({"GetTask", "CancelTask"})

_encode = msgspec.json.Encoder().encode


class _Status(msgspec.Struct):
    state: str = ""


class _Named(msgspec.Struct):
    """A task, a message or an update: what is read of any of them."""

    id: str = ""
    taskId: str = ""  # noqa: N815 - the wire's name
    contextId: str = ""  # noqa: N815
    status: _Status | None = None


class _Result(_Named):
    task: _Named | None = None
    message: _Named | None = None
    statusUpdate: _Named | None = None  # noqa: N815
    artifactUpdate: _Named | None = None  # noqa: N815


class _Answer(msgspec.Struct):
    result: _Result | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_answer = msgspec.json.Decoder(_Answer)


class AgentMeter(Meter):
    """`rewrite` changes the result of operations whose answer is not for the caller as it is. `priced` usage is counted
    for every operation: one request."""

    __slots__ = ("_learn", "_method", "_rewrite", "_rpc_id", "_splitter")

    def __init__(self, method: str, *, rpc_id: bytes, learn: Learn, rewrite: Rewrite | None = None) -> None:
        super().__init__()
        self._method = method
        self._rpc_id = rpc_id
        self._learn = learn
        self._rewrite = rewrite
        self._splitter = Splitter()

    def whole(self, body: bytes) -> bytes:
        self._read(body)
        if self._rewrite is None:
            return body
        fields: Members = members_of(body) or {}
        if "result" not in fields:
            return body
        fields["result"] = msgspec.Raw(self._rewrite(fields["result"]))
        return _encode(fields)

    def feed(self, data: bytes) -> bytes:
        if self._rewrite is not None:
            raise UpstreamFailed("The agent answered with a stream where it has to answer once.", code="upstream_protocol_error")
        block = self._splitter.feed(data)
        for part in events(block):
            content = data_of(part)
            if content:
                self._read(content)
        return block

    def usage(self) -> Usage | None:
        return {"requests": 1}

    def partial(self) -> Usage:
        return {"requests": 1}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        if self.complete:
            return b""
        data = error_info(error.code.upper(), domain=HOUSE_DOMAIN, request_id=request_id)
        return event(error_body(INTERNAL_ERROR, error.message, rpc_id=self._rpc_id, data=data), name=b"error")

    def _read(self, content: bytes) -> None:
        """Raises UpstreamFailed for what is no JSON-RPC answer."""
        try:
            answer = _answer.decode(content)
        except msgspec.ValidationError:
            if members_of(content) is None or self._rewrite is not None:
                raise _nonsense() from None
            return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _nonsense() from None
        if answer.error is not msgspec.UNSET:
            self.failed = self.complete = True
        elif answer.result is not None:
            self._learn_from(answer.result)

    def _learn_from(self, result: _Result) -> None:
        if self._method in _TASK_RESULTS:
            self._learn(result.id, result.contextId)
            return
        if result.task is not None:
            self._learn(result.task.id, result.task.contextId)
        for named in (result.message, result.statusUpdate, result.artifactUpdate):
            if named is not None:
                self._learn(named.taskId, named.contextId)
        status = (result.task or result.statusUpdate or result).status
        if self._method not in STREAMS or result.message is not None or (status is not None and status.state in TERMINAL):
            self.complete = True


def _nonsense() -> UpstreamFailed:
    return UpstreamFailed("The agent's answer is not JSON-RPC.", code="upstream_protocol_error")
