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
# What the service never reads: botocore's models of other AWS services (over 100 MB as files),
# test suites and C sources. Then byte code, as a read-only file system cannot keep any, and fixed
# times, so that equal content is an equal layer and is not uploaded again.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name ssm ! -name secretsmanager ! -name sts -exec rm -r {} + \
    && rm -r gevent/tests gevent/testing sqlalchemy/testing \
    && find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' \) -delete \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib \
    && find /opt/venv -exec touch --no-dereference --date=2000-01-01T00:00:00Z {} +
COPY service /app/service
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app \
    && find /app -exec touch --no-dereference --date=2000-01-01T00:00:00Z {} +

FROM ${BASE_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The libraries first: a change of code leaves their layer as it is.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# gunicorn itself is process 1: a shell in between would not pass SIGTERM on.
CMD ["gunicorn", "--config", "python:service.gunicorn_conf"]
