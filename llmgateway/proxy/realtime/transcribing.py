"""Whose bill a transcription is on. The model that writes speech down is a setting of the session, comes with the grant of the model
that the connection was opened for, and is billed by itself: at the price of the house's model that is the same one at the same provider;
where the house knows none, no price is known."""

from __future__ import annotations

from dataplane.call import Leg
from llmgateway.proxy.realtime.opening import RealtimeCall
from llmgateway.proxy.runtime import Deployment


def transcriber(call: RealtimeCall, place: Deployment, *, named: str, leg: Leg) -> tuple[Leg, str]:
    """The leg of the provider's model `named` ("" when that was never told), and the house's name for it."""
    for name, model in call.runtime.models.items():
        for deployment in model.deployments:
            if deployment.provider_id == place.provider_id and deployment.model == named:
                return _leg(leg, deployment), name
    unknown = Leg(leg.upstream, leg.url, headers=[], body=b"", rates=None, provider=leg.provider, deployment=named or leg.deployment)
    return unknown, call.model


def _leg(leg: Leg, deployment: Deployment) -> Leg:
    return Leg(leg.upstream, leg.url, headers=[], body=b"", rates=deployment.rates, provider=leg.provider, deployment=deployment.name)
