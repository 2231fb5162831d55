"""The addresses of everything that is stored."""

from __future__ import annotations

from dataplane.kit import Routes
from llmgateway.proxy.stored import batches, files, keeping, message_batches, responses
from llmgateway.proxy.stored.visit import joined


def routes() -> Routes:
    return joined(responses.ROUTES, keeping.ROUTES, files.ROUTES, batches.ROUTES, message_batches.ROUTES)
