# One image for every service of docker-compose.yml. Base images are arguments, so that they can be pinned by digest:
#
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:... -t orders-pipeline .
#
# Behind a company's mirror, pip's configuration and certificates come in as secrets that no layer keeps:
#
#   docker build --secret id=pip.conf,src=... --secret id=ca.crt,src=... -t orders-pipeline .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS dependencies
RUN python3 -m venv /opt/orders
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# This layer changes with the lock alone.
COPY requirements-deploy.lock /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/orders/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements-deploy.lock

FROM dependencies AS package
# Builds the package itself, with a backend, locked like the rest, that stays behind in this stage.
COPY requirements.lock /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/build \
    && awk '/^[a-z]/ {ours = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} ours' \
        /tmp/requirements.lock > /tmp/backend.lock \
    && /opt/build/bin/pip install --require-hashes -r /tmp/backend.lock
COPY pyproject.toml README.md LICENSE /src/
COPY orders_pipeline /src/orders_pipeline
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels /src

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 orders \
    && useradd --uid 10001 --gid orders --no-create-home --home-dir /tmp --shell /usr/sbin/nologin orders \
    && mkdir -p /srv/dagster
COPY --from=dependencies /opt/orders /opt/orders
COPY --from=package /wheels /tmp/wheels
RUN /opt/orders/bin/pip install --no-deps --no-index --no-cache-dir /tmp/wheels/*.whl
COPY deploy/dagster.yaml deploy/workspace.yaml /srv/dagster/
# Nothing is written but under /tmp: the root file system may be read-only. Files are spooled there, four at a time.
ENV PATH=/opt/orders/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/srv/dagster \
    DAGSTER_DISABLE_TELEMETRY=yes \
    ORDERS_HOME=/tmp/orders
WORKDIR /srv/dagster
USER 10001:10001
CMD ["orders-pipeline", "--help"]
