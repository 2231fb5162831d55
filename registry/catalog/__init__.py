"""The catalog: what people find at `/`.

The registry's own kinds are found by themselves. An app above brings its entries with `register_source`, once, from
its AppConfig.ready().
"""

from __future__ import annotations

from registry.catalog.entry import Entry, Source, register_source, sources

__all__ = ["Entry", "Source", "register_source", "sources"]
