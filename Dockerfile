# The server, its workers and its command line: one image, and compose.yaml says which of them a container is.
# Templates and static files are read from the checkout, so the image holds one, in /app.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements/server.txt requirements/build.txt requirements/
RUN pip install --require-hashes -r requirements/server.txt \
    && pip install --require-hashes -r requirements/build.txt
COPY . .
RUN pip install --no-deps --no-build-isolation -e . \
    && python -m compileall -q /app /opt/venv

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Lineage" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 lineage \
    && useradd --uid 10001 --gid lineage --no-create-home --home-dir /var/lib/lineage --shell /usr/sbin/nologin lineage \
    && install -d -m 0700 -o lineage -g lineage /var/lib/lineage /var/lib/lineage/metrics /var/lib/lineage-high-water
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LINEAGE_HOME=/var/lib/lineage
WORKDIR /app
USER 10001:10001
VOLUME /var/lib/lineage
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "lineage.cli.web"]
