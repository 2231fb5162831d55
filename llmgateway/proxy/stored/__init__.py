"""What providers store for callers: responses and conversations, files, vector stores, batches.

For calls of models, which refer to stored things and give out ids of new ones:

    ids = references(fields)                          what the body refers to, [] nearly always
    provider = await pinned(kit, key, ids)            the provider record it must go to, None for any;
                                                      raises NotFound, BadRequest, Unavailable
    first = await preferred(kit, key, reasoning_pins(fields))
                                                      the provider record to try first, None for any
    noticing(kit, key, deployment, meter, fields)     a meter around the call's own, of an answer in the provider's own
                                                      Responses dialect: the ids that it gives out become the caller's

`routes()` are the addresses of everything that is stored, `watch.BatchWatch` settles batches that nobody fetches.
"""

from llmgateway.proxy.stored.app import routes
from llmgateway.proxy.stored.notices import Noticing, noticing, of_event, of_response
from llmgateway.proxy.stored.owners import owner_of, pinned, preferred, remember
from llmgateway.proxy.stored.references import reasoning_pins, references

__all__ = [
    "Noticing",
    "noticing",
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
