"""What apps import to build their admins, and the admin of the audit trail (which is a floor below and has none of its own)."""

from __future__ import annotations

import django.contrib.auth.admin  # noqa: F401  as the next one: imported so that it is registered, and can be taken out, now
import django_celery_beat.admin  # noqa: F401
from django.contrib import admin
from django.contrib.auth.models import Group
from django_celery_beat import models as beat

from adminkit.base import ActionAdmin, ReadOnlyInline
from adminkit.trail import AuditEventAdmin

__all__ = ["ActionAdmin", "AuditEventAdmin", "ReadOnlyInline"]

# Their admins save on their own, past every action and the audit trail; and a periodic task is code to be run.
admin.site.unregister([Group, beat.PeriodicTask, beat.ClockedSchedule, beat.CrontabSchedule, beat.SolarSchedule, beat.IntervalSchedule])
