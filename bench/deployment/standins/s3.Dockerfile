# Stands in for motoserver/moto.
FROM python:3.11-slim-bookworm
ARG VERSION
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/moto && /opt/moto/bin/pip install --no-cache-dir "moto[s3,server]==${VERSION}"
EXPOSE 5000
ENTRYPOINT ["/opt/moto/bin/moto_server", "-H", "0.0.0.0"]
