"""gunicorn's settings: `gunicorn --config python:service.gunicorn_conf`."""

from gevent import monkey

# Before anything else is imported: the application is loaded once, before the workers fork, and
# a module that took `socket` or `ssl` as they were would block a whole worker.
monkey.patch_all()

import gc  # noqa: E402 - after patching, see above
import os  # noqa: E402 - likewise
from pathlib import Path  # noqa: E402 - likewise

from service.settings import default_processes  # noqa: E402 - likewise

wsgi_app = "service.wsgi:application()"
bind = f"0.0.0.0:{os.environ.get('PORT') or '3000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or default_processes())
logger_class = "service.worker.Logger"
worker_class = "service.worker.Worker"
worker_connections = 1000
preload_app = True

# Longer than the 60 s after which an ALB closes an idle connection: the side that closes first
# must not be us, or the ALB answers 502 to a request that crossed with it.
keepalive = 75
graceful_timeout = 25  # below ECS's stopTimeout, after which comes SIGKILL
timeout = 30

# A read-only root file system: the workers' heartbeat goes to memory, and no socket to a file.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a tmpfs, not /tmp
control_socket_disable = True


def when_ready(_server: object) -> None:
    """Set aside what is loaded by now, before the workers fork: it stays as long as they do.

    Their garbage collectors would look at all of it again and again, which holds up requests, and
    by looking copies the memory that the workers share with the first process.
    """
    gc.collect()
    gc.freeze()


# Nobody's forwarding headers mean anything to gunicorn: the service reads the load balancer's
# itself. With an empty policy for everybody, the address of each request is not looked at.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
forwarded_allow_ips = "*"

accesslog = None  # the service writes its own line for each request
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "service.logs.JsonFormatter"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stdout",
        },
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}
