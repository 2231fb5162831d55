"""The vendors' table as the control plane uses it: which vendor answers at an address, and what prefills the form."""

from __future__ import annotations

from llmgateway.proxy.providers import LOCAL_VENDORS, VENDORS, vendor_at
from llmgateway.proxy.providers import Facts as Vendor

__all__ = ["LOCAL_VENDORS", "VENDORS", "Vendor", "guess_vendor"]


def guess_vendor(base_url: str) -> str:
    """Name in the price catalogue of the vendor whose API answers at this URL; "" when it is nobody's we know."""
    vendor = vendor_at(base_url)
    return "" if vendor is None else vendor.price_list
