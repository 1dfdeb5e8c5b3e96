# One image for every command: callspool worker, serve, exporter, sandbox, send, status, …
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/callspool
COPY constraints.txt ./
RUN pip install --constraint constraints.txt hatchling
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY producers/ producers/
COPY ledger/ ledger/
COPY worker/ worker/
COPY operators/ operators/
COPY sandbox/ sandbox/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && wheel="$(echo /wheels/callspool-*.whl)" \
    && pip --python /opt/callspool/bin/python install --only-binary :all: \
        --constraint constraints.txt "callspool[worker,server,outbox,webhooks] @ file://${wheel}"

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="callspool" \
      org.opencontainers.image.description="Hands contacts to the Unpod calling API: never twice, never lost, then fast." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/callspool/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/callspool /opt/callspool
USER 10001:10001
WORKDIR /
ENTRYPOINT ["callspool"]
CMD ["--help"]
