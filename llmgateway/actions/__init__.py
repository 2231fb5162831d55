"""Every write of the LLM gateway. Each takes `actor` (None is the system), runs in one transaction and leaves one audit row.

Keyword arguments are named as in the config file. All raise django.core.exceptions.ValidationError with the field's
name for what can't be accepted; then nothing is written.
"""

from llmgateway.actions.deployments import set_deployments
from llmgateway.actions.fallbacks import set_fallbacks
from llmgateway.actions.health import record_health
from llmgateway.actions.imports import import_models
from llmgateway.actions.models import create_model, delete_model, disable_model, enable_model, update_model
from llmgateway.actions.prices import announce_begun_prices, set_model_price
from llmgateway.actions.providers import (
    create_provider,
    delete_provider,
    disable_provider,
    enable_provider,
    set_credential,
    update_provider,
)
from llmgateway.actions.rotation import (
    drop_next_credential,
    drop_previous_credential,
    record_next_test,
    reseal_credentials,
    roll_back_credential,
    set_next_credential,
    switch_credential,
)

__all__ = [
    "announce_begun_prices",
    "create_model",
    "create_provider",
    "delete_model",
    "delete_provider",
    "disable_model",
    "disable_provider",
    "drop_next_credential",
    "drop_previous_credential",
    "enable_model",
    "enable_provider",
    "import_models",
    "record_health",
    "record_next_test",
    "reseal_credentials",
    "roll_back_credential",
    "set_credential",
    "set_deployments",
    "set_fallbacks",
    "set_model_price",
    "set_next_credential",
    "switch_credential",
    "update_model",
    "update_provider",
]
