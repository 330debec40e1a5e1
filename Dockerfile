# One file for all images: `control-plane`, and one target per agent (`claude`, `codex`, `gemini`, `aider`,
# `grok`). Nothing here is secret, and nothing but the base images comes unlocked: Python packages are
# installed by hash, npm packages by the integrity in their lock files. docs/adr/0031 says why bases are
# pinned by exact version.

# --- what the images share ------------------------------------------------------------------------------

FROM python:3.12.11-slim-bookworm AS base
ARG OUTPOST_VERSION=unknown
ENV OUTPOST_VERSION=${OUTPOST_VERSION} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# uid 10001 is also the POSIX user of the EFS access points.
RUN groupadd --gid 10001 outpost \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin outpost

# The sources without the rehearsal, which must never ship (worker/rehearsal.py); .dockerignore keeps it out
# of the build context already.
FROM python:3.12.11-slim-bookworm AS sources
WORKDIR /opt/outpost
COPY outpost/ outpost/
COPY service/ service/
COPY worker/ worker/
RUN rm -rf worker/rehearsal.py worker/rehearsals \
    && python -m compileall -q .

# --- the control plane ----------------------------------------------------------------------------------

FROM python:3.12.11-slim-bookworm AS service-packages
COPY images/service.lock /tmp/service.lock
RUN python -m venv /opt/packages \
    && /opt/packages/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --requirement /tmp/service.lock

FROM base AS control-plane
# For promoting. Debian keeps only the newest build of a package, so its version cannot be pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/*
COPY --from=service-packages /opt/packages /opt/packages
COPY --from=sources /opt/outpost/outpost /opt/outpost/outpost
COPY --from=sources /opt/outpost/service /opt/outpost/service
ENV PATH=/opt/packages/bin:$PATH
WORKDIR /opt/outpost
# The root file system is read-only in the task definition; this is what may be written.
VOLUME /tmp
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", \"8080\")}/health', timeout=4)"]
CMD ["python", "-m", "service"]

# --- the worker, without an agent -----------------------------------------------------------------------

FROM base AS worker-base
# Debian keeps only the newest build of a package, so its versions cannot be pinned; the base image's are.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl git jq patch procps ripgrep \
    && rm -rf /var/lib/apt/lists/*
COPY --from=sources /opt/outpost/outpost /opt/outpost/outpost
COPY --from=sources /opt/outpost/worker /opt/outpost/worker
# What a dispatch writes, and where a tenant's file system is mounted in persistent mode.
RUN install --directory --owner=outpost --group=outpost --mode=0755 /work /workspace
ENV PYTHONPATH=/opt/outpost \
    OUTPOST_WORK_DIR=/work/dispatch
WORKDIR /work
USER 10001:10001
STOPSIGNAL SIGTERM
# A worker is a batch: it is healthy while it runs, and its exit code tells how it went.
HEALTHCHECK NONE
CMD ["python", "-m", "worker"]

# --- the agents' command lines --------------------------------------------------------------------------

FROM node:22.17.0-bookworm-slim AS claude-cli
WORKDIR /opt/agent
COPY images/claude/package.json images/claude/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:22.17.0-bookworm-slim AS codex-cli
WORKDIR /opt/agent
COPY images/codex/package.json images/codex/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:22.17.0-bookworm-slim AS gemini-cli
WORKDIR /opt/agent
COPY images/gemini/package.json images/gemini/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

# Grok's package for this platform is its program, packed with Brotli. There is no other platform in the lock.
FROM node:22.17.0-bookworm-slim AS grok-cli
WORKDIR /opt/agent
COPY images/grok/package.json images/grok/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund \
    && node -e 'const fs = require("fs"); fs.mkdirSync("bin"); fs.writeFileSync("bin/grok", require("zlib").brotliDecompressSync(fs.readFileSync("node_modules/@xai-official/grok-linux-x64/bin/grok.br")), { mode: 0o755 })'

FROM python:3.12.11-slim-bookworm AS aider-cli
COPY images/aider/requirements.lock /tmp/requirements.lock
RUN python -m venv /opt/agent \
    && /opt/agent/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --requirement /tmp/requirements.lock

# --- one image per agent --------------------------------------------------------------------------------

FROM worker-base AS worker-node
COPY --from=claude-cli /usr/local/bin/node /usr/local/bin/node

FROM worker-node AS claude
COPY --from=claude-cli /opt/agent /opt/agent
ENV PATH=/opt/agent/node_modules/.bin:$PATH \
    OUTPOST_AGENT=claude

FROM worker-node AS codex
COPY --from=codex-cli /opt/agent /opt/agent
ENV PATH=/opt/agent/node_modules/.bin:$PATH \
    OUTPOST_AGENT=codex

FROM worker-node AS gemini
COPY --from=gemini-cli /opt/agent /opt/agent
ENV PATH=/opt/agent/node_modules/.bin:$PATH \
    OUTPOST_AGENT=gemini

FROM worker-base AS aider
COPY --from=aider-cli /opt/agent /opt/agent
# After the system's own programs: its interpreter must not become the worker's.
ENV PATH=$PATH:/opt/agent/bin \
    OUTPOST_AGENT=aider

FROM worker-base AS grok
COPY --from=grok-cli /opt/agent/bin /opt/agent/bin
ENV PATH=$PATH:/opt/agent/bin \
    OUTPOST_AGENT=grok
