"""No body leads to another model than the one that was granted and priced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import answers
from tests.fakes.dialects import CHAT, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, said


@pytest.mark.parametrize("changes", [{"models": ["dear/one"]}, {"preset": "dear"}, {"models": ["dear/one"], "route": "fallback"}])
def test_a_list_of_other_models_is_refused_where_a_vendor_would_heed_it(
    changes: dict[str, Any], house: House, provider: Provider, provider_url: str
) -> None:
    contents = house.contents
    contents.provider("router", f"{provider_url}/v1", vendor="openrouter")
    contents.model("gpt", contents.deployment("router", "cheap/one"))
    contents.budget(f"team:{house.team}", 10**9)
    house.publish()
    provider.fallback = said(answers.chat())

    told = refusal(CHAT, house.post(CHAT, **changes))

    assert (told.status, told.code, told.param) == (400, "other_model", next(iter(changes)))
    assert provider.asked == []
    assert house.journaled() == []
    assert house.post(CHAT, transforms=[]).status_code == 200
    assert provider.last.json["model"] == "cheap/one"


def test_a_vendor_that_knows_no_such_field_is_sent_it_as_it_came(house: House, provider: Provider) -> None:
    provider.fallback = said(answers.chat())
    assert house.post(CHAT, models=["x"]).status_code == 200
    assert provider.last.json["models"] == ["x"]
