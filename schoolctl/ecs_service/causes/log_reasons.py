"""What a container's last log lines say of the cause: often nearer to it than its exit code."""

from __future__ import annotations

from schoolctl.ecs_service.causes.reasons import Rule

_FIX_LOGIN = (
    "compare `schoolctl params list --reveal` and the secret with the database, then"
    " `schoolctl params set` and `schoolctl restart`"
)
_FIX_REACH = (
    "check the host's name (`schoolctl params list --reveal`) and that the database's security"
    " group lets the service in on its port"
)

# The first rule that applies wins, so the particular ones stand before the general ones.
SAID = (
    Rule(
        (r"exec format error",),
        "the image was built for another processor than the tasks run on",
        "build it with `schoolctl push`, which builds for `image.platform`, or change that",
    ),
    Rule(
        (r"unknown database|database \"[^\"]*\" does not exist|\b1049\b.*database",),
        "the database server has no database of that name",
        "check the database's name: `schoolctl params list --reveal`",
    ),
    Rule(
        (
            (
                r"access denied for user|password authentication failed|ER_ACCESS_DENIED"
                r"|database refused the user"
            ),
        ),
        "the database refused the user or the password",
        _FIX_LOGIN,
    ),
    Rule(
        (r"too many connections|remaining connection slots",),
        "the database takes no more connections",
        "lower the number of tasks or their pools (`DB_POOL_SIZE`), or raise `max_connections`",
    ),
    Rule(
        (
            (
                r"certificate verify failed|self.signed certificate|certificate (has )?expired"
                r"|require_secure_transport|offers no TLS|only log in over TLS"
            ),
        ),
        "the encrypted connection was refused, or its certificate is not trusted",
        "give the container the certificate authority's file, and compare the host's name with the"
        " certificate's",
    ),
    Rule(
        (
            (
                r"name or service not known|getaddrinfo|\bENOTFOUND|failure in name resolution"
                r"|no such host|unknown (mysql |mariadb )?server host|could not translate host name"
            ),
        ),
        "a host that the container wants to reach has no address",
        "check the host's name: `schoolctl params list --reveal`",
    ),
    Rule(
        (
            (
                r"can't connect to (local )?(mysql|mariadb|server)|could not connect to server"
                r"|connection to server at|\(?2003, |lost connection to mysql"
                r"|(ECONNREFUSED|ETIMEDOUT|connection refused|connection timed out).*(3306|5432)"
                r"|(3306|5432).*(ECONNREFUSED|ETIMEDOUT|connection refused|timed out)"
                r"|the database is not available"
            ),
        ),
        "the container cannot reach the database",
        _FIX_REACH,
    ),
    Rule(
        (
            (
                r"parameternotfound|secretnotfound|can't find the specified secret"
                r"|ssm parameter \S+ (does not exist|is empty)"
            ),
        ),
        "a parameter or secret that the container reads does not exist, or is empty",
        "`schoolctl params set` asks for all that is missing",
    ),
    Rule(
        (r"accessdenied|is not authorized to perform",),
        "the container may not do something on AWS that it needs",
        "allow the action that the log names to the *task* role",
    ),
    Rule(
        (r"unable to locate credentials|nocredentials|could not load credentials",),
        "the container found no AWS credentials",
        "give the task definition a task role: `task.task_role`",
    ),
    Rule(
        (r"address already in use|EADDRINUSE",),
        "two processes of the task want the same port",
        "check the containers' ports in the task definition",
    ),
    Rule(
        (r"read-only file ?system|EROFS",),
        "the container writes to its root filesystem, which is read-only",
        "write below /tmp, or set `readonlyRootFilesystem: false` in `task.overrides`",
    ),
    Rule(
        (r"no space left on device|ENOSPC|disk quota exceeded",),
        "the task's disk is full",
        "write less, or raise `ephemeralStorage` in `task.overrides`",
    ),
    Rule(
        (r"out of memory|heap limit|OutOfMemoryError|\bMemoryError\b|cannot allocate memory",),
        "the process ran out of memory",
        "raise `task.memory`",
    ),
    Rule(
        (r"modulenotfounderror|cannot find module|no module named|importerror",),
        "a library that the program needs is not in the image",
        "add it to the requirements, build and push again",
    ),
    Rule(
        (r"error while loading shared libraries|cannot open shared object|GLIBC",),
        "a system library that the program needs is not in the image",
        "install it in the Dockerfile, or build on the image that it runs on",
    ),
    Rule(
        (r"(no such table|table \S+ doesn't exist|relation \"[^\"]*\" does not exist)",),
        "a table that the program needs is not in the database",
        "migrate the database: `service.release_command`, or `schoolctl run`",
    ),
    Rule(
        (r"permission denied|EACCES",),
        "the container's user may not read, write or run something, or bind a port below 1024",
        "check the owner of the file that the log names against the image's USER",
    ),
    Rule(
        (r"executable file not found|command not found|\bsh: .*not found",),
        "a command that the container runs is not in the image",
        "check CMD and ENTRYPOINT of the Dockerfile, and `command` in the task definition",
    ),
    Rule(
        (
            (
                r"\bis not set\b|missing (required )?environment|environment variable .*needed"
                r"|KeyError: '[A-Z_]{3,}'"
            ),
        ),
        "a setting that the program needs is not in its environment",
        "add what the log names to `task.environment`, `parameters` or `secrets`",
    ),
)
