"""Addresses of the portal. It is the house's front page, so they begin at `/`."""

from __future__ import annotations

from django.urls import path

from registry.portal import account, catalog, downloads, keys, usage

app_name = "portal"

urlpatterns = [
    path("", catalog.home, name="home"),
    path("login/", account.SignIn.as_view(), name="login"),
    path("logout/", account.SignOut.as_view(), name="logout"),
    path("access/<slug:kind>/<path:name>/", catalog.request_access, name="request-access"),
    path("catalog/<slug:kind>/<path:name>/", catalog.item, name="item"),
    path("requests/", catalog.requests, name="requests"),
    path("requests/<int:pk>/take-back/", catalog.take_back, name="take-back"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:pk>/rotate/", keys.rotate, name="rotate-key"),
    path("keys/<int:pk>/revoke/", keys.revoke, name="revoke-key"),
    path("usage/", usage.usage, name="usage"),
    path("skills/<slug:name>/<str:version>.tar.gz", downloads.download, name="download"),
]
