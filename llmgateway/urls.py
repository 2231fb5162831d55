"""Addresses of the LLM gateway's pages outside the admin."""

from __future__ import annotations

from django.urls import path

from llmgateway import views

app_name = "playground"

urlpatterns = [
    path("playground/", views.page, name="page"),
    path("playground/key/", views.new_key, name="new-key"),
    path("playground/key/end/", views.end_key, name="end-key"),
    path("playground/calls/<str:request_id>/", views.call, name="call"),
]
