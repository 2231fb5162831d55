"""How the house says no in MCP: a JSON-RPC error, under the HTTP status that says the same to a plain HTTP client."""

from __future__ import annotations

from dataplane.asgi import JSON_TYPE, Headers, Request
from dataplane.errors import HouseError, MethodNotAllowed, NotFound, Unauthorized
from dataplane.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RpcError, error_body

CODES = {
    400: INVALID_REQUEST,
    401: -32001,
    402: -32005,
    403: -32003,
    404: -32004,
    405: -32008,
    413: -32007,
    415: INVALID_REQUEST,
    429: -32006,
    431: -32007,
    502: -32010,
    503: -32012,
    504: -32011,
}
"""JSON-RPC codes of refusals that the protocol does not name, from its range for implementations."""

RPC_ID = "customhouse.rpc_id"
"""Key of an ASGI scope under which the raw id of the caller's message is kept for refusals that come later."""


def refuse(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    """Status, headers and body. `error.data` goes out beside the stable code and the request id."""
    data: dict[str, object] = {"code": error.code, "request_id": request.id}
    rpc_id: bytes | None = request.scope.get(RPC_ID)
    code = CODES.get(error.status, INTERNAL_ERROR)
    if isinstance(error, RpcError):
        code = error.rpc_code
        rpc_id = error.rpc_id or rpc_id
        if isinstance(error.data, dict):
            data |= error.data
    headers = [JSON_TYPE]
    if isinstance(error, Unauthorized):
        challenge = b"Bearer" if error.code == "missing_api_key" else b'Bearer error="invalid_token"'
        headers.append((b"www-authenticate", challenge))
    return error.status, headers, error_body(code, error.message, rpc_id=rpc_id, data=data)


def no_such_server() -> NotFound:
    """The one answer for a server that does not exist and for one of which the caller may use nothing."""
    return NotFound("There is no such MCP server.")


def unknown_tool(name: str, *, rpc_id: bytes | None, modern: bool) -> RpcError:
    """The one answer for a tool that does not exist, is not approved, has drifted or is not granted."""
    return RpcError(INVALID_PARAMS, f"Unknown tool: {name[:128]}", rpc_id=rpc_id, status=400 if modern else 200, code="unknown_tool")


def unknown_method(method: str, *, rpc_id: bytes | None, modern: bool) -> RpcError:
    status = 404 if modern else 200
    return RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:128]}", rpc_id=rpc_id, status=status, code="method_not_found")


def not_allowed(*methods: str) -> MethodNotAllowed:
    return MethodNotAllowed("The method is not allowed here.", headers=(("allow", ", ".join(methods)),))


def foreign_origin() -> HouseError:
    return HouseError("Requests of this origin are not accepted.", status=403, code="forbidden_origin")
