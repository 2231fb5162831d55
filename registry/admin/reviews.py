"""The inbox: what waits for a decision, with what would change and what to look out for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.forms import REFUSALS, messages_of
from adminkit.pages import page
from adminkit.safety import tell
from registry import actions, permissions
from registry.admin.badges import badge, decision_badge, risk_badge
from registry.admin.difference import shown_difference, shown_findings
from registry.choices import Decision, Risk
from registry.models import Review, Version


@admin.register(Review)
class ReviewAdmin(ActionAdmin):
    list_display = ("header", "kind_sign", "risk_sign", "first_finding", "asked", "decided", "buttons")
    list_filter = (
        ("decision", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("risk", ChoicesDropdownFilter),
        ("owner_team", RelatedDropdownFilter),
    )
    search_fields = ("title", "item_ref", "note", "requested_by__username")
    search_help_text = "Name, reference or who asked"
    list_select_related = ("requested_by", "decided_by", "owner_team")
    ordering = ("id",)
    actions = ("approve_all",)
    export_fields = (
        "title",
        "kind",
        "item_ref",
        "risk",
        "decision",
        "requested_by__username",
        "requested_at",
        "decided_by__username",
        "decided_at",
        "reason",
    )
    list_before_template = "registry/inbox_intro.html"

    class Media:
        css = {"all": ("registry/admin.css",)}
        js = ("registry/admin.js",)

    def get_urls(self) -> list[URLPattern]:
        own = path("<path:object_id>/decide/", self.admin_site.admin_view(self.decide_view), name="registry_review_decide")
        return [own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return super().get_queryset(request).defer("difference")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Opens on what waits. `?decision__exact=` with another value, or a search, shows the rest."""
        if request.method == "GET" and not request.GET:
            return HttpResponseRedirect(f"{request.path}?decision__exact={Decision.PENDING}")
        return super().changelist_view(request, extra_context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="What", ordering="title", header=True)
    def header(self, obj: Review) -> list[Any]:
        return [obj.title, obj.note[:120] or obj.item_ref, obj.title[:2].upper()]

    @display(description="Kind", ordering="kind")
    def kind_sign(self, obj: Review) -> str:
        return obj.get_kind_display()

    @display(description="Risk", ordering="risk")
    def risk_sign(self, obj: Review) -> SafeString:
        return risk_badge(obj)

    @display(description="Look out for", empty_value="—")
    def first_finding(self, obj: Review) -> SafeString | None:
        if not obj.findings:
            return None
        codes = dict.fromkeys(found["code"].replace("-", " ") for found in obj.findings)
        return format_html('<span class="rg-clip" title="{}">{}</span>', obj.findings[0]["message"], ", ".join(list(codes)[:3]))

    @display(description="Asked", ordering="requested_at")
    def asked(self, obj: Review) -> SafeString:
        return format_html(
            '{}<span class="rg-faint rg-block">{}</span>', obj.requested_by or "found by a check", naturaltime(obj.requested_at)
        )

    @display(description="Decision", ordering="decision")
    def decided(self, obj: Review) -> SafeString:
        return decision_badge(obj)

    @display(description="")
    def buttons(self, obj: Review) -> SafeString | str:
        """Decides from the list: these buttons post the list's own form, and its token, to another address."""
        if not obj.is_pending:
            return ""
        if obj.risk >= Risk.DANGER:
            return format_html('<a class="rg-button rg-small" href="{}">Look first</a>', self.url_of(obj.pk))
        url = reverse(f"{self.admin_site.name}:registry_review_decide", args=(obj.pk,))
        return format_html(
            '<button class="rg-button rg-small" type="submit" name="verb" value="approve" formaction="{}">Approve</button>', url
        )

    @admin.action(description="Approve", permissions=["view"])
    def approve_all(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        """Each for itself: what can't be approved is told and the others are."""
        done = 0
        for review in queryset.filter(decision=Decision.PENDING):
            if review.risk >= Risk.DANGER:
                messages.warning(request, f"{review.title} is marked as a danger: open it and decide there.")
                continue
            try:
                actions.approve(actor=request.user, review=review)  # type: ignore[arg-type]
                done += 1
            except REFUSALS as error:
                messages.error(request, f"{review.title}: {' '.join(messages_of(error))}")
        if done:
            messages.success(request, f"{done} approved.")

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        review = self.get_object(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actor: Any = request.user
        reason = request.POST.get("reason", "")
        try:
            if request.POST.get("verb") == "approve":
                actions.approve(actor=actor, review=review, reason=reason, digest=request.POST.get("digest"))
                messages.success(request, f"{review.title} is approved.")
            elif request.POST.get("verb") == "reject":
                actions.reject(actor=actor, review=review, reason=reason)
                messages.success(request, f"{review.title} is rejected.")
            else:
                actions.withdraw(actor=actor, review=review)
                messages.success(request, f"{review.title} is withdrawn.")
        except REFUSALS as error:
            tell(request, error)
            return HttpResponseRedirect(self.url_of(review.pk))
        return HttpResponseRedirect(self.url_of())

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        review = self.get_object(request, object_id)
        subject: Any = review.subject
        return page(
            self,
            request,
            "registry/review.html",
            title=review.title,
            media=self.media,
            review=review,
            subject=subject,
            risk=risk_badge(review),
            decision=decision_badge(review),
            kind=badge(review.get_kind_display(), tone="info"),
            findings=shown_findings(review),
            parts=shown_difference(review),
            live=subject.item.live_version if isinstance(subject, Version) else None,
            item_url=self._item_url(subject),
            may_decide=review.is_pending and permissions.may_decide(request.user, review),  # type: ignore[arg-type]
            may_withdraw=review.is_pending and request.user.pk == review.requested_by_id,
            decide_url=reverse(f"{self.admin_site.name}:registry_review_decide", args=(review.pk,)),
            history=Review.objects.filter(item_ref=review.item_ref)
            .exclude(pk=review.pk)
            .exclude(decision=Decision.PENDING)
            .select_related("decided_by")
            .defer("difference")[:10],
            back=self.url_of(),
        )

    def _item_url(self, subject: Any) -> str:
        """Where the whole thing can be looked at, "" when it is gone."""
        if isinstance(subject, Version):
            name = f"registry_{subject.item._meta.model_name}_version"
            return reverse(f"{self.admin_site.name}:{name}", args=(subject.item.pk, subject.pk))
        target = getattr(subject, "target", None)
        if target is None:
            return ""
        try:
            return reverse(f"{self.admin_site.name}:{target._meta.app_label}_{target._meta.model_name}_change", args=(target.pk,))
        except NoReverseMatch:
            return ""
