# The image of the registration service. Context: this directory, of which .dockerignore lets
# service/ through. Builds with BuildKit and with the classic builder.
#
# BASE_IMAGE must be Debian with Python 3.11 or later, its venv module and CA certificates.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
# pip lives in an environment of its own, so that the one that is shipped has none.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
COPY service/requirements.txt /build/requirements.txt
RUN /opt/pip/bin/pip --python /opt/venv/bin/python install --quiet --no-cache-dir --no-compile \
        --disable-pip-version-check --only-binary :all: --require-hashes -r /build/requirements.txt
# What the service never reads: botocore's models of the other AWS services (25 MB), test suites,
# C sources and type stubs. Then byte code, as a read-only file system cannot keep any. Times and
# modes are set, so that equal content is an equal layer wherever and however it is built, and is
# not uploaded again.
RUN packages=$(echo /opt/venv/lib/python3*/site-packages) \
    && find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
        ! -name ssm ! -name secretsmanager ! -name sts -exec rm -r {} + \
    && find "$packages" -type d \( -name tests -o -name testing \) -prune -exec rm -r {} + \
    && find "$packages" -type f \( -name '*.c' -o -name '*.h' -o -name '*.[ch]pp' \
        -o -name '*.p[xy][dix]' \) -delete \
    && python3 -m compileall -q --invalidation-mode unchecked-hash "$packages" \
    && mkdir -p /layers/libraries/opt && mv /opt/venv /layers/libraries/opt/venv \
    && chmod -R u=rwX,go=rX /layers \
    && find /layers -exec touch --no-dereference --date=2000-01-01T00:00:00Z {} +
# The authorities of RDS are larger than all the code, and change once in years.
COPY service/certs /layers/certificates/app/service/certs
# The code in halves, by name: most changes are in one of them, and only that one is uploaded.
COPY service /layers/m-to-z/app/service
WORKDIR /layers
RUN python3 -m compileall -q --invalidation-mode unchecked-hash -s /layers/m-to-z /layers/m-to-z \
    && rm -r m-to-z/app/service/certs m-to-z/app/service/requirements.txt \
    && mkdir -p a-to-l/app/service/__pycache__ \
    && mv m-to-z/app/service/[a-l]* a-to-l/app/service/ \
    && mv m-to-z/app/service/__pycache__/[a-l]* a-to-l/app/service/__pycache__/ \
    && chmod -R u=rwX,go=rX certificates m-to-z a-to-l \
    && find certificates m-to-z a-to-l \
        -exec touch --no-dereference --date=2000-01-01T00:00:00Z {} +

FROM ${BASE_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The code last: its change leaves the layers before it as they are. Copied to / and not to their
# own directories, which would get the time of the build.
COPY --from=build /layers/libraries /
COPY --from=build /layers/certificates /
COPY --from=build /layers/m-to-z /
COPY --from=build /layers/a-to-l /
WORKDIR /app
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# gunicorn itself is process 1: a shell in between would not pass SIGTERM on.
CMD ["gunicorn", "--config", "python:service.gunicorn_conf"]
