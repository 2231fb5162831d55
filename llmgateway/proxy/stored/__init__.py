"""What providers store for callers: responses and conversations, files, vector stores, batches.

For calls of models, which refer to stored things and give out ids of new ones:

    ids = references(fields)                          what the body refers to, [] nearly always
    provider = await pinned(kit, key, ids)            the provider record it must go to, None for any;
                                                      raises NotFound, BadRequest, Unavailable
    first = await preferred(kit, key, reasoning_pins(fields))
                                                      the provider record to try first, None for any
    Noticing(meter, take, stored=…)                   a meter that tells `take` which ids an answer gives out
    remember(kit, key, made, provider=…, provider_name=…)
                                                      they are the caller's from now on
"""

from llmgateway.proxy.stored.app import routes
from llmgateway.proxy.stored.notices import Noticing, of_event, of_response
from llmgateway.proxy.stored.owners import owner_of, pinned, preferred, remember
from llmgateway.proxy.stored.references import reasoning_pins, references

__all__ = [
    "Noticing",
    "of_event",
    "of_response",
    "owner_of",
    "pinned",
    "preferred",
    "reasoning_pins",
    "references",
    "remember",
    "routes",
]
