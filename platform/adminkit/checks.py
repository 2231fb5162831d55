"""System checks of ActionAdmin: no write without an action behind it, no secret in an export."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BinaryField, Model
from django.http import HttpRequest
from unfold.checks import UnfoldModelAdminChecks

from audit.canonical import is_secret

WRITES = {"create": "add", "update": "change", "delete": "delete"}


class ActionAdminChecks(UnfoldModelAdminChecks):
    def check(self, admin_obj: Any, **kwargs: Any) -> list[Any]:
        return [*super().check(admin_obj, **kwargs), *_writes(admin_obj), *_inlines(admin_obj), *_export(admin_obj)]


def _writes(admin: Any) -> list[checks.Error]:
    """Asks the permission methods as the most powerful user there is: what is allowed needs its `perform_*`."""
    request = HttpRequest()
    request.user = get_user_model()(is_superuser=True, is_staff=True, is_active=True)
    errors = []
    for write, verb in WRITES.items():
        if admin.performs(write):
            continue
        try:
            allowed = getattr(admin, f"has_{verb}_permission")(request)
        except Exception:  # noqa: BLE001  a permission method that needs more than a user; saving then refuses by itself
            allowed = False
        if allowed:
            errors.append(_error(admin, f"allows {verb} but has no perform_{write} that calls an action", "adminkit.E001"))
    return errors


def _inlines(admin: Any) -> list[checks.Error]:
    if admin.performs("inlines"):
        return []
    return [
        _error(admin, f"has the inline {inline.__name__} that can write, but no perform_inlines that calls actions", "adminkit.E002")
        for inline in admin.inlines
        if not _reads_only(inline)
    ]


def _reads_only(inline: type[Any]) -> bool:
    """An inline that says no to all three writes by itself, e.g. adminkit.base.ReadOnlyInline."""
    return all(
        f"has_{verb}_permission" in {name for base in inline.__mro__[:-1] for name in vars(base)} and _refuses(inline, verb)
        for verb in WRITES.values()
    )


def _refuses(inline: type[Any], verb: str) -> bool:
    request = HttpRequest()
    request.user = get_user_model()(is_superuser=True, is_staff=True, is_active=True)
    try:
        return not getattr(inline, f"has_{verb}_permission")(object.__new__(inline), request, None)
    except Exception:  # noqa: BLE001  what can't be told counts as able to write
        return False


def _export(admin: Any) -> list[checks.Error]:
    errors = []
    for name in admin.export_fields:
        last = name.rpartition("__")[2]
        if is_secret(last) or _holds_bytes(admin.model, name):
            errors.append(_error(admin, f"exports the secret field {name}", "adminkit.E003"))
    return errors


def _holds_bytes(model: type[Model], path: str) -> bool:
    field: Any = None
    for part in path.split("__"):
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            return False
        model = field.related_model or model
    return isinstance(field, BinaryField)


def _error(admin: Any, text: str, code: str) -> checks.Error:
    return checks.Error(f"{type(admin).__name__} {text}.", obj=type(admin), id=code)
