"""The writing half of ActionAdmin: what the admin would save is handed to the app's actions instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import transaction
from django.db.models import Model, ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from adminkit.forms import REFUSALS, GuardedForm
from adminkit.safety import tell

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin as _Base
else:
    _Base = object


class ActionWrites(_Base):
    """Mixin over ModelAdmin. A subclass implements the `perform_*` that it allows; each calls an action of its app.

    Actions refuse with ValidationError or PermissionDenied: both come back in the form, or as a message.
    """

    def perform_create(self, request: HttpRequest, obj: Any, form: Any) -> Model | None:
        """Returns the object that the action created."""
        raise ImproperlyConfigured(f"{type(self).__name__} does not implement perform_create")

    def perform_update(self, request: HttpRequest, obj: Any, form: Any, before: dict[str, Any]) -> None:
        """`obj` has the new values already, unsaved; `before` the stored ones of `form.changed_data`."""
        raise ImproperlyConfigured(f"{type(self).__name__} does not implement perform_update")

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        raise ImproperlyConfigured(f"{type(self).__name__} does not implement perform_delete")

    def perform_inlines(self, request: HttpRequest, obj: Any, formset: Any) -> None:
        """`formset` is an inline's, valid, with `new_objects`, `changed_objects` and `deleted_objects` told, unsaved."""
        raise ImproperlyConfigured(f"{type(self).__name__} does not implement perform_inlines")

    @classmethod
    def performs(cls, write: str) -> bool:
        """Whether this class implements `perform_<write>`."""
        return getattr(cls, f"perform_{write}") is not getattr(ActionWrites, f"perform_{write}")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (GuardedForm, form), {"refusal": getattr(request, "_adminkit_refusal", None)})

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except REFUSALS as error:
            if request.method != "POST" or hasattr(request, "_adminkit_refusal"):
                raise
            # Once more, with what was typed and the refusal in it. Nothing was written: the exception undid it all.
            request._adminkit_refusal = error  # type: ignore[attr-defined]
            for _, files in request.FILES.lists():
                for file in files:
                    file.seek(0)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self.__update(request, obj, form)
        else:
            self.__create(request, obj, form)
        for action in self.get_actions_submit_line(request, obj.pk):
            if action.action_name in request.POST:
                action.method(request, obj)

    def __create(self, request: HttpRequest, obj: Any, form: Any) -> None:
        created = self.perform_create(request, obj, form)
        if created is not None and created is not obj:
            obj.__dict__.update(created.__dict__)
        if obj.pk is None:
            raise ImproperlyConfigured(f"{type(self).__name__}.perform_create must return the object it created")

    def __update(self, request: HttpRequest, obj: Any, form: Any) -> None:
        stored = self.get_object(request, str(obj.pk))
        if not self.has_change_permission(request, stored):
            raise PermissionDenied
        before = {name: getattr(stored, name) for name in form.changed_data if hasattr(stored, name)}
        self.perform_update(request, obj, form, before)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Relations of the form itself are the action's business; formsets go to `perform_inlines`."""
        for formset in formsets:
            self.save_formset(request, form, formset, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)  # tells what is new, changed and deleted; writes nothing
        if formset.has_changed():
            self.perform_inlines(request, form.instance, formset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.perform_delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """All or nothing, one action call each."""
        with transaction.atomic():
            for obj in queryset:
                if not self.has_delete_permission(request, obj):
                    raise PermissionDenied
                self.perform_delete(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except (*REFUSALS, ProtectedError) as error:
            if request.method != "POST" or not self.has_delete_permission(request, unquote(object_id)):
                raise
            self.__tell(request, error)
            return HttpResponseRedirect(self.url_of(unquote(object_id)))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        try:
            return super().changelist_view(request, extra_context)
        except (*REFUSALS, ProtectedError) as error:
            if request.method != "POST" or not self.has_view_permission(request):
                raise
            self.__tell(request, error)
            return HttpResponseRedirect(request.get_full_path())

    def __tell(self, request: HttpRequest, error: Exception) -> None:
        if isinstance(error, ProtectedError):
            messages.error(request, "This can't be deleted: other things refer to it.")
        else:
            tell(request, error)

    def url_of(self, object_id: Any = None) -> str:
        """The change page of an object, or the list."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}"
        return reverse(f"{name}_changelist") if object_id is None else reverse(f"{name}_change", args=(quote(object_id),))
