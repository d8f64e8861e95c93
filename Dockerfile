FROM python:3.13-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/factus-worker
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# The dependencies first: they change seldom, and their layer is kept when only our code does.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --no-install-project
COPY README.md LICENSE ./
COPY schemas schemas
COPY jobs jobs
COPY worker worker
COPY sandbox sandbox
RUN uv sync --frozen --no-default-groups --no-editable

FROM python:3.13-slim-bookworm
# A number, so that an orchestrator can verify that it is not root.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/factus-worker --shell /usr/sbin/nologin factus
COPY --from=build /opt/factus-worker /opt/factus-worker
ENV PATH=/opt/factus-worker/bin:$PATH PYTHONUNBUFFERED=1 FACTUS_LOG_FORMAT=json \
    FACTUS_ARCHIVE_URL=file:///var/lib/factus-worker/archive
USER 10001
WORKDIR /var/lib/factus-worker
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["factus-worker", "status"]
# Exec form: the worker itself is process 1 and gets SIGTERM, on which it finishes the calls under way.
ENTRYPOINT ["factus-worker"]
CMD ["run"]
