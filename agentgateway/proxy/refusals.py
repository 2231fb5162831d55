"""How the house says no in A2A: a JSON-RPC error whose data is a list with one google.rpc.ErrorInfo (spec 1.0, §9.5).

Errors of the protocol travel under HTTP 200, as agents send them (RpcError); refusals of the house keep their HTTP status. Codes
from -32001 on belong to A2A, so the house's own use JSON-RPC's and say what they are in ErrorInfo's reason.
"""

from __future__ import annotations

from dataplane.asgi import JSON_TYPE, Headers, Request
from dataplane.errors import HouseError, NotFound, Unauthorized
from dataplane.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, RpcError, error_body

TASK_NOT_FOUND = -32001
A2A_DOMAIN = "a2a-protocol.org"
HOUSE_DOMAIN = "customhouse"
REASONS = {TASK_NOT_FOUND: "TASK_NOT_FOUND"}

RPC_ID = "customhouse.rpc_id"
"""Key of an ASGI scope under which the raw id of the caller's message is kept for refusals that come later."""


def refuse(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    rpc_id: bytes | None = request.scope.get(RPC_ID)
    headers = [JSON_TYPE, (b"cache-control", b"no-store")]
    if isinstance(error, RpcError):
        domain = A2A_DOMAIN if error.rpc_code in REASONS else HOUSE_DOMAIN
        reason = REASONS.get(error.rpc_code, error.code.upper())
        data = error_info(reason, domain=domain, request_id=request.id)
        return 200, headers, error_body(error.rpc_code, error.message, rpc_id=error.rpc_id or rpc_id, data=data)
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer" if error.code == "missing_api_key" else b'Bearer error="invalid_token"'))
    code = INVALID_REQUEST if error.status < 500 else INTERNAL_ERROR
    data = error_info(error.code.upper(), domain=HOUSE_DOMAIN, request_id=request.id)
    return error.status, headers, error_body(code, error.message, rpc_id=rpc_id, data=data)


def error_info(reason: str, *, domain: str, request_id: str) -> list[dict[str, object]]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return [{"@type": kind, "reason": reason, "domain": domain, "metadata": {"requestId": request_id}}]


def no_such_agent() -> NotFound:
    """The one answer for an agent that does not exist and for one that is not granted."""
    return NotFound("There is no such agent.")


def task_not_found(rpc_id: bytes | None) -> RpcError:
    """The agent's own words for a task that does not exist, for one that is another caller's."""
    return RpcError(TASK_NOT_FOUND, "Task not found", rpc_id=rpc_id, code="task_not_found")


def unknown_method(method: str, *, rpc_id: bytes | None) -> RpcError:
    return RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:128]}", rpc_id=rpc_id, code="method_not_found")
