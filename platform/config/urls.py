"""Addresses of the control plane. Each app brings its own: `api_routes()` in api.py, `urlpatterns` in urls.py."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter


def _api_router() -> DefaultRouter:
    router = DefaultRouter()
    for app in settings.HOUSE_APPS:
        if find_spec(f"{app}.api") is not None:
            for prefix, viewset, basename in import_module(f"{app}.api").api_routes():
                router.register(prefix, viewset, basename)
    return router


def _app_urls() -> list[URLPattern | URLResolver]:
    """Pages that an app serves at addresses of its own choice (the portal at `/` comes with the registry)."""
    return [path("", include(f"{app}.urls")) for app in settings.HOUSE_APPS if find_spec(f"{app}.urls") is not None]


urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}config/favicon.svg", permanent=True)),
    path("api/v1/", include(_api_router().urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *_app_urls(),
]
