"""The base of the management API: the same rules as the admin, over the same actions.

What the caller can't see is a 404. What may be seen but not be done is a 403. What an action refuses as bad input is a
400 that names the field.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError as BadRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from adminkit import permissions

VERBS = {"GET": "view", "HEAD": "view", "OPTIONS": "view", "POST": "change", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class ScopedPermission(BasePermission):
    """Staff only; objects by the rules of `adminkit.permissions`. Creating takes the model's add permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        if not (user and user.is_authenticated and user.is_active and user.is_staff):
            return False
        if getattr(view, "action", None) == "create" and view.queryset is not None:
            return bool(user.has_perm(permissions.codename(view.queryset.model, "add")))
        return True

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        verb = VERBS[request.method or "GET"]
        return verb == "view" or permissions.may(request.user, verb, obj)


class Refusals:
    """Mixin of a view: each request but a read is one transaction, undone when it is refused; an action's
    ValidationError is a 400.

    `calls_out` names the view's actions that wait for somebody else's machine. They run outside a transaction, which
    would hold its locks for as long.
    """

    calls_out: ClassVar[frozenset[str]] = frozenset()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        named = getattr(self, "action_map", {}).get(request.method.lower())
        if request.method in ("GET", "HEAD", "OPTIONS") or named in self.calls_out:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            if response.status_code >= 400:
                transaction.set_rollback(True)
            return response

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ValidationError):
            exc = BadRequest(exc.message_dict if hasattr(exc, "error_dict") else {"detail": exc.messages})
        return super().handle_exception(exc)  # type: ignore[misc]


class ActionViewSet(Refusals, GenericViewSet[Any]):
    """Lists and objects hold what the caller may see. Subclasses write by calling actions as `self.actor`."""

    permission_classes = (ScopedPermission,)

    @property
    def actor(self) -> Any:
        return self.request.user

    def get_queryset(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        return permissions.visible(queryset, self.request.user)
