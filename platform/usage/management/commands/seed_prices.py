from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from usage import prices


class Command(BaseCommand):
    help = "Bring the price catalogue up to the vendors' list prices. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{prices.seed()} new prices")
