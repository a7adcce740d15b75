# One image a service: docker build --build-arg SERVICE=metrics . The default is the whole suite in one process.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/build.txt requirements/postgres.txt requirements/node.txt requirements/
RUN python -m venv /opt/openmanager \
    && /opt/openmanager/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && /opt/openmanager/bin/uv pip install --no-cache --python /opt/openmanager/bin/python --require-hashes -r requirements/postgres.txt
COPY pyproject.toml README.md LICENSE package.json package-lock.json ./
COPY tools/build_assets.py tools/
COPY services services
COPY gen gen
RUN /opt/openmanager/bin/python tools/build_assets.py \
    && /opt/openmanager/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
ARG SERVICE=all_in_one
ENV OPENMANAGER_SERVICE=${SERVICE} \
    OPENMANAGER_DATA_DIR=/data \
    OPENMANAGER_LOG_FORMAT=json \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/openmanager/bin:$PATH
RUN useradd --system --uid 10001 --home-dir /data openmanager && install -d -o openmanager -m 0700 /data
COPY --from=build /opt/openmanager /opt/openmanager
USER openmanager
VOLUME /data
EXPOSE 8080 50051 50052 50053 50054
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["openmanager", "doctor", "--probe"]
ENTRYPOINT ["/bin/sh", "-c", "exec python -m services.${OPENMANAGER_SERVICE} \"$@\"", "openmanager"]
