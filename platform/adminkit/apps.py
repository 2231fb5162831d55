from __future__ import annotations

from django.apps import AppConfig


class AdminkitConfig(AppConfig):
    name = "adminkit"
    verbose_name = "Admin kit"
