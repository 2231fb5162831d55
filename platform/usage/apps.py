from __future__ import annotations

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from usage import dashboard, exact, live
        from usage.signals import events_recorded

        exact.connect()
        dashboard.register_panels()
        events_recorded.connect(live.announce, dispatch_uid="usage.live")
