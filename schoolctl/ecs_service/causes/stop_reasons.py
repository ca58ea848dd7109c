"""Why ECS stopped a task, or never started it: the texts it gives, with cause and cure.

Three tongues speak in them: ECS itself, the docker daemon and containerd; Fargate has used each.
Sources: ECS developer guide (stopped task error codes and messages), AWS re:Post.
"""

from __future__ import annotations

from schoolctl.ecs_service.causes.reasons import Rule

_PULL = (
    r"cannotpull|pull image|pull container|can(no|')t pull (the image|'|\S+ from)|pulling image"
    r"|pull command failed|failed to (resolve|copy|unpack)|pull access denied"
)
_START = r"cannotstart|cannotcreate|start container|starting container|oci runtime|create shim"
_SECRETS = (
    r"pull secrets|fetch(ing)? secret|registry auth|ssm parameters|secrets? from (asm|ssm)"
    r"|retrieve (the )?secret|secret with arn"
)
_ENV_FILES = r"env(ironment)? ?files?\b"
_LOG_DRIVER = (
    r"logg(er|ing) (driver|args)|log ?driver|awslogs|log (group|stream)|firelens|fluent|splunk"
)
_VOLUME = r"\befs\b|\bebs\b|\bvolumes?\b|\bnfs\b|\bmount(ing|\.nfs4?)?\b"
_NO_ROUTE = (
    r"i/o timeout|requesterror|request ?canceled|context (canceled|deadline)|connection refused"
    r"|dial tcp|no such host|timed? ?out|connection issue|network (configuration|is unreachable)"
    r"|tls handshake|request send failed|failed to resolve \""
)
_FORBIDDEN = (
    r"403|401|forbidden|access ?denied|not authorized|unauthorized|unexpected status code"
    r"|no basic auth|has the permissions?|sts:assumerole"
)
_ABSENT = (
    r"not ?found|can('|no)t find|does(n't| not) exist|unknown|404|no such|invalid ssm"
    r"|invalid parameters|no secret|exists in the"
)
_HEALTH = r"elb health check|health checks? .*target.?group|unhealthy in|unhealthy.*target.?group"
_FIX_ROUTE = (
    "give the tasks a way out: `assign_public_ip: true` in public subnets, or a NAT gateway, or"
    " endpoints for ecr.api, ecr.dkr, ssm, secretsmanager, logs and S3; and let their security"
    " group out on 443"
)
_FIX_COMMAND = "check CMD and ENTRYPOINT of the Dockerfile, and `command` in the task definition"

# The first rule that applies wins, so the particular ones stand before the general ones.
_SECRET_RULES = (
    Rule(
        (_SECRETS, r"versionid|minimum field size|invalid.*\barn\b|malformed"),
        "the ARN of a secret in the task definition is malformed",
        "check the `:key:stage:id` at its end in `schoolctl taskdef render`",
    ),
    Rule(
        (_SECRETS, r"json key|did not contain|invalid character|unmarshal"),
        "a secret has no such key, or is no JSON, and the task definition asks for a key of it",
        "compare the key in `schoolctl taskdef render` with the secret; set it anew with"
        " `schoolctl secrets set`",
    ),
    Rule(
        (_SECRETS, r"\bkms\b|customer master key|ciphertext"),
        "the execution role may not use the KMS key of a parameter or secret",
        "allow kms:Decrypt on that key to the *execution* role, in its policy and in the key's",
    ),
    Rule(
        (_SECRETS, r"access ?denied|not authorized|has the permissions?"),
        "the execution role may not read a parameter or secret that the task definition names",
        "allow ssm:GetParameters, secretsmanager:GetSecretValue (and kms:Decrypt for a customer"
        " key) to the *execution* role, not to the task role",
    ),
    Rule(
        (_SECRETS, r"throttl|rate exceeded|too ?many"),
        "too many tasks read parameters at once, and AWS slowed them down",
        "deploy again; if it stays so, raise the throughput of SSM Parameter Store in its settings",
    ),
    Rule(
        (_SECRETS, _NO_ROUTE),
        "the task cannot reach SSM, Secrets Manager or ECR",
        _FIX_ROUTE,
    ),
    Rule(
        (_SECRETS, _ABSENT),
        "a parameter or secret that the task definition names does not exist in this region",
        "compare `schoolctl taskdef render` with `schoolctl params list`, then"
        " `schoolctl params set`",
    ),
    Rule(
        (_SECRETS,),
        "a parameter or secret could not be read when the task started",
        "compare `schoolctl taskdef render` with `schoolctl params list`; check the execution role",
    ),
    Rule(
        (r"resourceinitialization|download|s3", _ENV_FILES),
        "an environment file could not be read from S3",
        "check its ARN in `environmentFiles`, and allow s3:GetObject to the execution role",
    ),
)

_LOG_RULES = (
    Rule(
        (_LOG_DRIVER, r"access ?denied|not authorized"),
        "the execution role may not write to the container's log group",
        "allow logs:CreateLogStream and logs:PutLogEvents to the execution role",
    ),
    Rule(
        (
            _LOG_DRIVER,
            r"connection issue|i/o timeout|requesterror|request ?canceled|dial tcp|timed? ?out",
        ),
        "the task cannot reach CloudWatch Logs",
        _FIX_ROUTE,
    ),
    Rule(
        (_LOG_DRIVER, r"log group|resourcenotfound|does not exist|not ?found"),
        "the container's log could not be opened: its log group does not exist",
        "check `task.log_group`; `schoolctl deploy` creates it",
    ),
    Rule(
        (_LOG_DRIVER, r"initializ|validate|fail|cannot|could not|invalid|unknown"),
        "the container's log could not be opened",
        "check `logConfiguration` in `schoolctl taskdef render`, that the log group exists, and"
        " that the execution role may write to it",
    ),
)

_VOLUME_RULES = (
    Rule(
        (r"\befs\b|\bnfs\b|mount\.nfs", r"access ?denied|not authorized|permission denied"),
        "the task may not mount the EFS file system",
        "allow elasticfilesystem:ClientMount (and ClientWrite) to the task role, and check the"
        " file system's policy and access point",
    ),
    Rule(
        (r"\befs\b|\bnfs\b|mount\.nfs", r"resolve|timed? ?out|no route|refused|unreachable"),
        "the task cannot reach the EFS file system",
        "give the file system a mount target in each of the tasks' zones, and let the tasks'"
        " security group in there on 2049",
    ),
    Rule(
        (r"\befs\b|\bebs\b|\bnfs\b|cannotcreatevolume|ephemeral ?storage",),
        "a volume could not be mounted",
        "check the file system's id and mount targets, their security group (2049) and the task"
        " role",
    ),
)

_PULL_RULES = (
    Rule(
        (_PULL, r"toomanyrequests|rate limit|429"),
        "the registry limits how often it may be pulled from",
        "keep the base image in ECR (a mirror or a pull-through cache)",
    ),
    Rule(
        (_PULL, r"diffids"),
        "the image's layers do not match its configuration (gzip and zstd mixed)",
        "build and push it again with one compression",
    ),
    Rule(
        (_PULL, r"media.?type|no processor"),
        "what the tag or digest names is no image that a task can run (an attestation?)",
        "push it with `schoolctl push`, or build with `--provenance=false`",
    ),
    Rule(
        (r"no space left|disk (is )?full",),
        "the image or what it writes does not fit on the task's disk",
        "make the image smaller, or raise `ephemeralStorage` in `task.overrides`",
    ),
)

_COMMAND_RULES = (
    Rule(
        (r"exec format error|descriptor matching|no match for platform|platform.*linux/",),
        "the image was built for another processor than the tasks run on",
        "build it with `schoolctl push`, which builds for `image.platform`, or change that",
    ),
    Rule(
        (f"{_START}|exec", r"permission denied|not executable"),
        "the command that the container should start is not executable",
        "set its execute bit in the Dockerfile (`COPY --chmod=755`), and check its owner against"
        " the image's USER",
    ),
    Rule(
        (f"{_START}|cannot", r"read-only file ?system"),
        "the container's root filesystem is read-only, and its start has to write to it",
        "mount a volume where it writes, or set `readonlyRootFilesystem: false` in"
        " `task.overrides`",
    ),
    Rule(
        (r"port is already allocated|address already in use|bind.*in use",),
        "the port is taken already",
        "check the containers' ports in the task definition: no two may be the same",
    ),
    Rule(
        (f"{_START}|user", r"unable to find user|no matching entries in passwd"),
        "the image has no such user as the task should run as",
        "check USER of the Dockerfile and `user` in the task definition",
    ),
    # Looked for before "not found": the container's command is in the image, or is not.
    Rule(
        (r"exec:|executable file|no such file or directory|chdir|working directory",),
        "the command that the container should start is not in the image, or is not executable",
        _FIX_COMMAND,
    ),
)

_REGISTRY_RULES = (
    Rule(
        (_PULL, r"pull access denied|repository does not exist or may require"),
        "the execution role may not pull from ECR, or there is no such repository",
        "check the image's name in `schoolctl taskdef render`, and attach"
        " AmazonECSTaskExecutionRolePolicy to the execution role",
    ),
    Rule(
        (_PULL, r"403|forbidden", r"s3|layer|httpreadseeker|starport"),
        "the execution role may pull, but the layers in S3 are blocked",
        "allow the bucket of ECR's layers in the S3 endpoint's policy",
    ),
    Rule(
        (_PULL, r"connection issue|i/o timeout|dial tcp|awaiting headers|request ?canceled"),
        "the task cannot reach the registry",
        _FIX_ROUTE,
    ),
    Rule(
        (
            _PULL,
            (
                r"not found|manifest unknown|name unknown|404|does(n't| not) exist"
                r"|no such (image|manifest)"
            ),
        ),
        "the image is not in the repository (the tag or digest was never pushed, or was deleted)",
        "look with `schoolctl images list`, then push it or deploy one that is there",
    ),
    Rule(
        (_PULL, _FORBIDDEN),
        "the execution role may not pull from ECR, or a policy blocks the layers in S3",
        "attach AmazonECSTaskExecutionRolePolicy to the execution role; check the S3 endpoint's"
        " policy",
    ),
    Rule((_PULL, f"{_NO_ROUTE}|resolve ref"), "the registry did not answer the task", _FIX_ROUTE),
    Rule(
        (_PULL, r"or start container"),
        "the image could not be pulled, or the command is not in it",
        "check the spelling of the command, and look with `schoolctl images list` for the image",
    ),
    Rule(
        (_PULL,),
        "the image could not be pulled",
        "look with `schoolctl images list` whether it is there, and check the execution role and"
        " the way out to ECR",
    ),
)

_HEALTH_RULES = (
    Rule(
        (r"health|unhealthy", r"deregist"),
        "the task was taken out of its target group while it ran",
        "let nothing but ECS register and deregister targets, then deploy again",
    ),
    Rule(
        (_HEALTH,),
        "the load balancer found the task unhealthy",
        "check that the service's security group lets the load balancer in on the task's port, that"
        " `task.health_path` answers 200, and that `grace_seconds` covers the start",
        vague=True,
    ),
    Rule(
        (r"container health check",),
        "the container's own health check failed",
        "run its command inside the container; give it a `startPeriod`",
        vague=True,
    ),
    Rule(
        (r"OutOfMemory|\bOOM\b|memory usage|out of memory",),
        "the container used more memory than the task has",
        "raise `task.memory`",
    ),
    Rule(
        (r"\bdepend(s|ency|encies|ent)\b|dependson",),
        "a container that another one waits for did not get as far as it has to",
        "look at that container's exit code and log, and at `dependsOn` in the task definition",
    ),
)

_PLACE_RULES = (
    Rule(
        (r"\bip address|insufficient ?free|no free addresses|InsufficientFreeAddresses",),
        "the subnets have no free addresses left",
        "name more or larger subnets in `service.subnets`",
    ),
    Rule(
        (r"network ?interface|\beni\b",),
        "the task got no network interface",
        "check that the subnets have free addresses and that the security groups exist; deploy"
        " again",
    ),
    Rule(
        (r"unable to assume|trust relationship|assume (the )?role|assumerole",),
        "ECS may not use one of the task's roles",
        "let ecs-tasks.amazonaws.com assume the execution and the task role",
    ),
    Rule(
        (r"limit on the number|vcpus? limit|limit (of|for) vcpus?|quota|over limit",),
        "a limit of the account is reached",
        "ask for a higher limit of Fargate tasks or vCPUs in Service Quotas, or stop other tasks",
    ),
    Rule(
        (r"\bspot",),
        "AWS took the Spot capacity back",
        "deploy again, or use FARGATE for some of the tasks",
    ),
    Rule(
        (r"capacity is unavailable|insufficient capacity|no capacity|empty capacity",),
        "AWS has no capacity left in these zones",
        "deploy again later, or name subnets in more zones",
    ),
    Rule(
        (r": agent\b|agent (is )?(disconnected|not connected)",),
        "the agent of the container instance is not connected",
        "run the service on Fargate, or restart the instance's ECS agent",
    ),
    Rule(
        (r"RESOURCE:|no container instance|ATTRIBUTE",),
        "no container instance has room for the task",
        "run the service on Fargate (`launchType`), or add instances to the cluster",
    ),
    Rule(
        (
            (
                r"termination ?notice|retire|maintenance|infrastructure ?health|stoppedbyaws"
                r"|stopped by aws|underlying (hardware|host|infrastructure)|host ec2|patch"
            ),
        ),
        "AWS stopped the task for its own reasons (retirement, maintenance or a failing host)",
        "ECS starts another one; deploy again if it does not",
    ),
)

_OTHER_RULES = (
    Rule(
        (_VOLUME, r"fail|cannot|error|unable|invalid|denied"),
        "a volume of the task could not be set up",
        "check `volumes` and `mountPoints` in `schoolctl taskdef render`",
    ),
    Rule(
        (r"scaling activity initiated|deployment completed|rolled back|replaced|deregist",),
        "ECS replaced the task: a part of every rollout",
        "",
        trouble=False,
    ),
    Rule(
        (r"cannotstop|did not stop|stop ?timeout",),
        "the container did not stop in time and was killed",
        "let the process end on SIGTERM, or raise `task.stop_timeout`",
    ),
    Rule(
        (r"timed? ?out|did not start|TaskStartTimedout|starttimeout",),
        "the container did not start in time",
        "look at the log: `schoolctl logs`",
    ),
    Rule(
        (f"{_START}|cannotinspect|internalerror|internal error",),
        "the container could not be started",
        "deploy again; if it stays so, check the container's settings in"
        " `schoolctl taskdef render`",
    ),
)

STOPPED = (
    *_SECRET_RULES,
    *_VOLUME_RULES[:2],
    *_PULL_RULES,
    *_COMMAND_RULES,
    *_REGISTRY_RULES,
    *_LOG_RULES,
    *_VOLUME_RULES[2:],
    *_HEALTH_RULES,
    *_PLACE_RULES,
    *_OTHER_RULES,
)
