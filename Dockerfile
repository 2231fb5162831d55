# One image for every process of docker-compose.yml; the command tells which one it is.
FROM python:3.12-slim AS build
RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /tmp/requirements.lock

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/customhouse --create-home customhouse
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/customhouse
COPY manage.py ./
COPY platform ./platform
COPY registry ./registry
COPY llmgateway ./llmgateway
COPY mcpgateway ./mcpgateway
COPY agentgateway ./agentgateway
COPY templates ./templates
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/customhouse:/srv/customhouse/platform \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUSTOMHOUSE_HOME=/var/lib/customhouse \
    CUSTOMHOUSE_HOST=0.0.0.0
USER customhouse
VOLUME /var/lib/customhouse
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "config.healthcheck"]
CMD ["python", "-m", "config.server"]
