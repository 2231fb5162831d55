"""The admin of skills and collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from adminkit.admin import ActionAdmin
from registry import actions
from registry.admin.base import ItemAdmin
from registry.models import Collection, Skill
from registry.skills.bundle import MAX_TOTAL, MIB

if TYPE_CHECKING:
    _Form = forms.ModelForm[Any]
else:
    _Form = forms.ModelForm


class SkillForm(_Form):
    """Registers from an archive; on a skill's page an archive makes a new version."""

    archive = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".zip,.tar,.tgz,.gz"}),
        help_text="A zip or tar.gz with SKILL.md at its root or in one folder.",
    )

    class Meta:
        model = Skill
        fields = ("owner_team", "discoverable")

    def clean_archive(self) -> UploadedFile[Any] | None:
        archive: UploadedFile[Any] | None = self.cleaned_data.get("archive")
        if archive is None and self.instance.pk is None:
            raise ValidationError("Choose the skill's archive.")
        if archive is not None and (archive.size or 0) > MAX_TOTAL:
            raise ValidationError(f"The archive is larger than {MAX_TOTAL // MIB} MiB.")
        return archive


@admin.register(Skill)
class SkillAdmin(ItemAdmin):
    word = "skill"
    update = staticmethod(actions.update_skill)
    form = SkillForm
    list_display = ("header", "state", "live", "owner_team", "in_collections", "discoverable")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("owner_team", RelatedDropdownFilter),
        ("collections", RelatedDropdownFilter),
        "discoverable",
    )
    search_fields = ("name", "description")
    ordering = ("name",)
    export_fields = ("name", "description", "owner_team__name", "status", "live_version__version", "discoverable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Skill]:
        return super().get_queryset(request).defer("live_version__body").prefetch_related("collections")

    def get_fieldsets(self, request: HttpRequest, obj: Skill | None = None) -> Any:
        fields = ("archive", ("owner_team", "discoverable")) if obj is None else (("owner_team", "discoverable"), "archive")
        return ((None, {"fields": fields}),)

    @display(description="Skill", ordering="name", header=True)
    def header(self, obj: Skill) -> list[Any]:
        return [obj.name, obj.description[:100], obj.name[:2].upper()]

    @display(description="Collections", empty_value="—")
    def in_collections(self, obj: Skill) -> str | None:
        return ", ".join(collection.slug for collection in obj.collections.all()) or None

    def perform_create(self, request: HttpRequest, obj: Skill, form: Any) -> Any:
        data = form.cleaned_data
        version = actions.register_skill(
            actor=_actor(request),
            source=data["archive"].file,
            filename=data["archive"].name,
            owner_team=data["owner_team"],
            discoverable=data["discoverable"],
        )
        request._registry_version = version  # type: ignore[attr-defined]
        return version.skill

    def perform_update(self, request: HttpRequest, obj: Skill, form: Any, before: dict[str, Any]) -> None:
        archive = form.cleaned_data.get("archive")
        values = {name: form.cleaned_data[name] for name in form.changed_data if name != "archive"}
        if values:
            actions.update_skill(actor=_actor(request), skill=obj, **values)
        if archive is not None:
            version = actions.new_skill_version(actor=_actor(request), skill=obj, source=archive.file, filename=archive.name)
            request._registry_version = version  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._to_version(request) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._to_version(request) or super().response_change(request, obj)

    def _to_version(self, request: HttpRequest) -> HttpResponse | None:
        version: Any = getattr(request, "_registry_version", None)
        if version is None:
            return None
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:registry_skill_version", args=(version.skill_id, version.pk)))


@admin.register(Collection)
class CollectionAdmin(ActionAdmin):
    list_display = ("slug", "title", "owner_team", "skill_count")
    list_filter = (("owner_team", RelatedDropdownFilter),)
    search_fields = ("slug", "title", "description")
    fields = (("slug", "title"), "owner_team", "description", "skills")
    filter_horizontal = ("skills",)
    export_fields = ("slug", "title", "owner_team__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Collection]:
        return super().get_queryset(request).select_related("owner_team").annotate(count=Count("skills"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    @display(description="Skills", ordering="count")
    def skill_count(self, obj: Any) -> int:
        return int(obj.count)

    def perform_create(self, request: HttpRequest, obj: Collection, form: Any) -> Collection:
        values = dict(form.cleaned_data)
        skills = values.pop("skills")
        collection = actions.create_collection(actor=_actor(request), **values)
        for skill in skills:
            actions.add_to_collection(actor=_actor(request), collection=collection, skill=skill)
        return collection

    def perform_update(self, request: HttpRequest, obj: Collection, form: Any, before: dict[str, Any]) -> None:
        actor: Any = request.user
        values = {name: form.cleaned_data[name] for name in form.changed_data if name != "skills"}
        if values:
            actions.update_collection(actor=actor, collection=obj, **values)
        if "skills" not in form.changed_data:
            return
        wanted, held = set(form.cleaned_data["skills"]), set(obj.skills.all())
        shown = set(form.fields["skills"].queryset)
        for skill in wanted - held:
            actions.add_to_collection(actor=actor, collection=obj, skill=skill)
        for skill in (held - wanted) & shown:
            actions.remove_from_collection(actor=actor, collection=obj, skill=skill)

    def perform_delete(self, request: HttpRequest, obj: Collection) -> None:
        actions.delete_collection(actor=_actor(request), collection=obj)


def _actor(request: HttpRequest) -> Any:
    return request.user
