"""The reading half of ActionAdmin: lists, pages, choices and filters show what their user may see, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from adminkit import permissions
from adminkit.filters import VisibleRelatedFilter, restricted, visible_related

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin as _Base
else:
    _Base = object


class ScopedReads(_Base):
    """Mixin over ModelAdmin. `performs` comes from the writing half: what has no action behind it is not permitted."""

    scoped: ClassVar[bool] = True
    owner_team_field: ClassVar[str | None] = None

    @classmethod
    def performs(cls, write: str) -> bool:
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        if not self.scoped:
            return queryset
        return permissions.visible(queryset, request.user, owner_field=self.owner_team_field)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """What can't be seen and what does not exist are the same 404."""
        obj = super().get_object(request, object_id, from_field)
        if obj is None:
            raise Http404
        return obj

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.__permits(request, "view", obj) or self.__permits(request, "change", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.performs("update") and self.__permits(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.performs("delete") and self.__permits(request, "delete", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.performs("create") and request.user.has_perm(permissions.codename(self.model, "add"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def __permits(self, request: HttpRequest, verb: str, obj: Any) -> bool:
        """`obj` is an object, a primary key as unfold passes it, or None for "any at all"."""
        user = request.user
        if not self.scoped or getattr(user, "is_superuser", False):
            return bool(user.has_perm(permissions.codename(self.model, verb)))
        cache: dict[Any, bool] = request.__dict__.setdefault("_adminkit_permits", {})
        key = (type(self), verb, getattr(obj, "pk", obj))
        if key not in cache:
            cache[key] = self.__ask(user, verb, key[2])
        return cache[key]

    def __ask(self, user: Any, verb: str, pk: Any) -> bool:
        if pk is None and user.has_perm(permissions.codename(self.model, verb)):
            return True
        objects = self.model._base_manager.all()
        if pk is not None:
            objects = objects.filter(pk=pk)
        return permissions.permitted(objects, user, verb, owner_field=self.owner_team_field).exists()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = visible_related(db_field.remote_field.model, request, self, kwargs.get("queryset"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = visible_related(db_field.remote_field.model, request, self, kwargs.get("queryset"))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [self.__restrict(item) for item in super().get_list_filter(request)]

    def __restrict(self, item: Any) -> Any:
        if isinstance(item, tuple | list):
            return (item[0], restricted(item[1]))
        if isinstance(item, str) and getattr(self.__field(item), "remote_field", None):
            return (item, VisibleRelatedFilter)
        return item

    def __field(self, path: str) -> Any:
        model, field = self.model, None
        for part in path.split("__"):
            field = model._meta.get_field(part)
            model = field.related_model or model
        return field
