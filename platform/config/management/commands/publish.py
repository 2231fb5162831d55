"""`manage.py publish`: compiles every section anew. For after an upgrade, when the same rows may compile otherwise."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config.models import FailedSection
from config.publish import publish_everything, published_version


class Command(BaseCommand):
    help = "Compiles every section of the snapshot anew and publishes those that came out different."

    def handle(self, *args: Any, **options: Any) -> None:
        version = publish_everything()
        self.stdout.write(f"Published version {version}." if version else f"Version {published_version()} is up to date.")
        for failed in FailedSection.objects.all():
            self.stderr.write(f"{failed.name} does not compile: {failed.error}")
