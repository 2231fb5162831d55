"""From the admin's actions to the wire: what is registered, sealed, priced and compiled is what the data plane calls."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from dataplane.snapshot import Section
from llmgateway import actions
from llmgateway.compile import compile_section
from llmgateway.models import Model, Provider
from llmgateway.prices import override_of
from tests.fakes.contents import SEAL_KEY
from tests.fakes.house import House
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, MakeModel

USED = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}],
    "usage": USED,
}
ASKED = {"model": "main", "messages": [{"role": "user", "content": "hello"}]}


def test_a_registered_model_is_called_with_its_credential_and_charged_at_its_price(
    settings: Any, vendor: Vendor, vendor_url: str, make_model: MakeModel, tmp_path: Path
) -> None:
    settings.CUSTOMHOUSE = dataclasses.replace(settings.CUSTOMHOUSE, seal_keys=(SEAL_KEY,))
    actions.create_provider(
        actor=None,
        name="local",
        dialect="openai",
        base_url=f"{vendor_url}/v1",
        allow_private_network=True,
        api_key=CANARY,
        headers={"x-project": "p1"},
    )
    model = make_model("main", deployments=[{"provider": "local", "model": "upstream-name"}], price={"input": "3", "output": "15"})
    vendor.fallback = said(COMPLETION)

    with House(tmp_path) as house:
        house.contents.grant(f"team:{house.team}", model.resource_ref)
        house.publish()

        def call(version: int) -> int:
            house.store.apply([Section(name="llm", version=version, body=compile_section("llm") or b"")])
            return house.http.post("/v1/chat/completions", json=ASKED, headers={"authorization": f"Bearer {house.key}"}).status_code

        assert call(1000) == 200
        asked = vendor.last
        assert (asked.path, asked.json["model"]) == ("/v1/chat/completions", "upstream-name")
        assert (asked.header("authorization"), asked.header("x-project")) == (f"Bearer {CANARY}", "p1")
        event = house.settled()
        assert (event.model, event.provider, event.cost) == ("main", "local", "0.0045")
        assert (event.price or "").startswith("override:main@")

        actions.set_credential(actor=None, provider=Provider.objects.get(), api_key="sk-rotated")
        actions.set_model_price(actor=None, model=Model.objects.get(), price=None)
        assert override_of("main") is None
        assert call(1001) == 200
        assert vendor.last.header("authorization") == "Bearer sk-rotated"
        event = house.settled()
        assert (event.cost, event.price) == (None, None)

        actions.disable_model(actor=None, model=model)
        assert call(1002) == 404
        assert len(vendor.asked) == 2
