"""The life of a call, the same for all three gateways:

    identify → resolve → authorize → (give a kept answer) → admit → inspect → journal → dispatch → relay → settle

`serve` is the first half and the only place where an error becomes an answer; `Exchange` is the second half.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataplane.asgi import Disconnected, Request, respond
from dataplane.call import Call, Gateway
from dataplane.errors import HouseError
from dataplane.exchange import Exchange
from dataplane.kit import withdrawn
from dataplane.principal import identify

if TYPE_CHECKING:
    from dataplane.keeping import Keeping
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.pipeline")


async def serve(kit: Kit, gateway: Gateway, request: Request) -> None:
    """Answers one request. Never raises but for cancellation."""
    exchange: Exchange | None = None
    keeping: Keeping | None = None
    try:
        request.guard()
        snapshot = kit.store.current
        key = identify(snapshot, kit.pepper, request.headers)
        call = await gateway.open(kit, request, key, snapshot)
        if call is None:
            return
        keeping = call.keeping
        if keeping is not None and await keeping.answered(request):
            return
        exchange = Exchange(kit, request, call, await admit(kit, call))
        if keeping is not None:
            keeping.exchange = exchange
        if kit.store.current is not snapshot and (reason := withdrawn(call, kit.store.current)) is not None:
            # Its body came slowly, or it waited for money, and meanwhile its key or its grant was taken away.
            exchange.admission.settle(None, 0)
            raise reason
        await exchange.run()
    except Disconnected:
        return
    except HouseError as error:
        await refuse(kit, gateway, request, error=error, exchange=exchange)
    except Exception:
        log.exception("call failed inside the house", extra={"request_id": request.id})
        failure = HouseError("The house failed to handle this call. The request id finds it in the log.")
        await refuse(kit, gateway, request, error=failure, exchange=exchange)
    finally:
        if keeping is not None:
            keeping.end()


async def admit(kit: Kit, call: Call):  # type: ignore[no-untyped-def]  # dataplane.limits.Admission, typed there
    """From leases at hand, without I/O, as long as they last."""
    admission = kit.limits.try_admit(call.key, reserve=call.reserve, tokens=call.tokens, model=call.expectation)
    if admission is None:
        admission = await kit.limits.admit(call.key, reserve=call.reserve, tokens=call.tokens, model=call.expectation)
    return admission


async def refuse(kit: Kit, gateway: Gateway, request: Request, *, error: HouseError, exchange: Exchange | None) -> None:
    kit.metrics.refusal(gateway.plane, error.code)
    if exchange is not None and exchange.started:
        return
    status, headers, body = gateway.refuse(request, error)
    extra = [(name.encode(), value.encode("latin-1")) for name, value in error.headers]
    if exchange is not None and exchange.route:
        extra.append((b"x-customhouse-route", exchange.route))
    await respond(request.send, status, [*headers, (b"x-request-id", request.id.encode()), *extra], body)
