# By tag, because the digest of a registry cannot be known here; to pin it:
#   docker build --build-arg PYTHON_IMAGE=python@sha256:... .    (docker buildx imagetools inspect python:3.13-slim-bookworm)
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/factus-worker
WORKDIR /src
# The installer by its hash; it checks that of each package against uv.lock.
COPY deploy/uv.txt ./
RUN pip install --no-cache-dir --only-binary=:all: --require-hashes -r uv.txt
# The dependencies first: they change seldom, and their layer is kept when only our code does.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --no-install-project
COPY README.md LICENSE ./
COPY schemas schemas
COPY jobs jobs
COPY worker worker
COPY sandbox sandbox
RUN uv sync --frozen --no-default-groups --no-editable

FROM ${PYTHON_IMAGE}
# A number, so that an orchestrator can verify that it is not root.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/factus-worker --shell /usr/sbin/nologin factus
COPY --from=build /opt/factus-worker /opt/factus-worker
ENV PATH=/opt/factus-worker/bin:$PATH PYTHONUNBUFFERED=1 FACTUS_LOG_FORMAT=json \
    FACTUS_ARCHIVE_URL=file:///var/lib/factus-worker/archive
USER 10001
WORKDIR /var/lib/factus-worker
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["factus-worker", "health"]
# Exec form: the worker itself is process 1 and gets SIGTERM, on which it finishes the calls under way.
ENTRYPOINT ["factus-worker"]
CMD ["run"]
