"""WebSocket addresses of this app, collected by config.asgi."""

from __future__ import annotations

from django.urls import path

from usage.live import CallsConsumer

websocket_urlpatterns = [path("ws/calls/", CallsConsumer.as_asgi())]
