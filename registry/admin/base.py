"""What the admins of servers, agents, skills and toolsets have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.permissions import may
from identity.queries import grantees
from registry import actions
from registry.admin import verbs, version_page
from registry.admin.badges import health_badge, item_badges
from registry.choices import Decision, VersionState
from registry.models import Review, Toolset

LISTED = 50
"""Versions and holders of a grant that a page names."""


class ItemAdmin(ActionAdmin):
    """`update` is the action behind the form; `has_versions` whether versions of it are reviewed."""

    update: ClassVar[Any]
    word: ClassVar[str]
    has_versions: ClassVar[bool] = True

    change_form_outer_before_template = "registry/item_banner.html"
    change_form_outer_after_template = "registry/item_panels.html"
    search_help_text = "Name, title or description"
    warn_unsaved_form = True

    class Media:
        css = {"all": ("registry/admin.css",)}
        js = ("registry/admin.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request).select_related("owner_team")
        if not self.has_versions:
            return queryset
        waiting = Count("versions", filter=Q(versions__state=VersionState.PENDING), distinct=True)
        return queryset.select_related("live_version").annotate(pending=waiting)

    def get_urls(self) -> list[URLPattern]:
        name = f"registry_{self.opts.model_name}"
        own = [
            path("<path:object_id>/do/", self.admin_site.admin_view(self.do_view), name=f"{name}_do"),
            path("<path:object_id>/version/<int:version_id>/", self.admin_site.admin_view(self.version_view), name=f"{name}_version"),
        ]
        return [*own, *super().get_urls()]

    def do_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return verbs.run(self, request, object_id)

    def version_view(self, request: HttpRequest, object_id: str, version_id: int) -> HttpResponse:
        if not self.has_versions:
            raise Http404
        return version_page.view(self, request, object_id, version_id)

    @display(description="State", ordering="status")
    def state(self, obj: Any) -> SafeString:
        return item_badges(obj)

    @display(description="Health", ordering="health")
    def health_state(self, obj: Any) -> SafeString:
        return health_badge(obj)

    @display(description="Live version", ordering="live_version__version", empty_value="—")
    def live(self, obj: Any) -> str | None:
        return obj.live_version.version if obj.live_version else None

    def render_change_form(self, request: HttpRequest, context: Any, add: bool = False, change: bool = False, **kwargs: Any) -> Any:
        item = kwargs.get("obj")
        if item is not None:
            context |= self.panels(request, item)
        return super().render_change_form(request, context, add=add, change=change, **kwargs)

    def panels(self, request: HttpRequest, item: Any) -> dict[str, Any]:
        """What the page shows around the form. Subclasses add their own."""
        prefix = f"{self.admin_site.name}:registry_{self.opts.model_name}"
        holders = grantees(item)
        return {
            "item": item,
            "word": self.word,
            "badges": item_badges(item),
            "do_url": reverse(f"{prefix}_do", args=(item.pk,)),
            "catalog_url": reverse("portal:item", args=(self.opts.model_name, item.slug)),
            "may_change": may(request.user, "change", item),
            "watched": hasattr(item, "health"),
            "called": hasattr(item, "credential"),
            "versions": self._version_rows(item, prefix),
            "reviews": self._waiting(item),
            "holders": holders[:LISTED],
            "more_holders": max(0, len(holders) - LISTED),
        }

    def _version_rows(self, item: Any, prefix: str) -> list[dict[str, Any]]:
        if not self.has_versions:
            return []
        found = item.versions.select_related("created_by", "reviewed_by").order_by("-id")[:LISTED]
        return [
            {"row": version, "live": version.pk == item.live_version_id, "url": reverse(f"{prefix}_version", args=(item.pk, version.pk))}
            for version in found
        ]

    def _waiting(self, item: Any) -> list[Review]:
        if isinstance(item, Toolset):
            return []
        versions = ContentType.objects.get_for_model(item.versions.model)
        found = Review.objects.filter(subject_type=versions, subject_id__in=item.versions.values("pk"), decision=Decision.PENDING)
        return list(found.select_related("requested_by"))

    def perform_update(self, request: HttpRequest, obj: Any, form: Any, before: dict[str, Any]) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        if values:
            type(self).update(actor=request.user, **{self.word: obj}, **values)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Versions and tools go with their item: whoever may delete the item needs no right of their own to those."""
        shown, counts, needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, {name for name in needed if name == self.opts.verbose_name}, protected

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        actions.delete_item(actor=request.user, item=obj)  # type: ignore[arg-type]
