"""A world whose caller may do what a policy says: the emulator enforces it, and the proxy helps.

What the emulator judges otherwise than AWS is evened out here, and in no policy of the product:

- It asks for other resources: the cluster for whatever names one, `*` for operations that name
  several parameters or repositories. `for_emulator` adds exactly those.
- It knows neither the key `ecs:cluster` nor the tags of resources; conditions on them are left out.
- It does not authorise passing a role, tagging at creation, auto scaling, and the registry's own
  requests. The proxy does: `JUDGED_HERE`.
- It has no record of deployments and no agents of ECS Exec; the proxy answers for them once the
  emulator has let the call pass.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from schoolctl.config.file import load_config_file
from schoolctl.core.run import Services
from schoolctl.iam.policy import Scope, needed, statements, wrapped
from tests.conftest import REGION, Project, Result
from tests.fake_engine import FakeEngine
from tests.fakes import FakeClock
from tests.matrix.world import World, end_one_off_tasks
from tests.wire import error_body, service_of
from tests.worlds.account import NAME, edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pytest

    from schoolctl.iam.permission import Permission
    from tests.faults import Exchange, Rule
    from tests.matrix.emulator import Emulator

IMPLIED = {
    "CreateRepository": ("ecr:TagResource",),
    "CreateSecurityGroup": ("ec2:CreateTags",),
    "CreateService": ("iam:PassRole",),
    "RegisterTaskDefinition": ("iam:PassRole", "ecs:TagResource"),
    "RunTask": ("iam:PassRole",),
    "UpdateService": ("iam:PassRole",),
}
"""What AWS asks for besides the action of the operation's own name."""
REGISTRY = {
    "GET blobs": ("ecr:GetDownloadUrlForLayer",),
    "GET manifests": ("ecr:BatchGetImage",),
    "HEAD blobs": ("ecr:BatchCheckLayerAvailability",),
    "HEAD manifests": ("ecr:BatchGetImage",),
    "PATCH blobs/uploads": ("ecr:UploadLayerPart",),
    "POST blobs/uploads": ("ecr:InitiateLayerUpload",),
    # A layer in one piece.
    "PUT blobs/uploads": ("ecr:UploadLayerPart", "ecr:CompleteLayerUpload"),
    "PUT manifests": ("ecr:PutImage",),
}
"""What ECR asks for where its registry is spoken to."""
_ALARMS = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")
ABSENT = {
    operation: (f"application-autoscaling:{operation}", *more)
    for operation, more in {
        "DeregisterScalableTarget": (),
        "DescribeScalableTargets": (),
        "DescribeScalingPolicies": (),
        "DescribeScheduledActions": (),
        "PutScalingPolicy": _ALARMS,
        "RegisterScalableTarget": ("iam:CreateServiceLinkedRole",),
    }.items()
}
"""What the emulator does not have, and so does not authorise; with what AWS asks for besides."""
JUDGED_HERE = {**IMPLIED, **REGISTRY, **ABSENT}
COMPLETED = "schoolctl:completed-at"
GOES_ON, CRASHES, FAILS = "goes on", "crashes", "fails"
STORIES: dict[str, dict[str, Any]] = {
    GOES_ON: {"rolloutState": "IN_PROGRESS"},
    CRASHES: {"rolloutState": "IN_PROGRESS", "failedTasks": 2},
    FAILS: {
        "rolloutState": "FAILED",
        "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
        "failedTasks": 3,
    },
}
"""What DescribeServices tells of the newest deployment; that it crashes, of one that is new."""
FREE = "sts:GetCallerIdentity"
"""What nobody needs a permission for."""
_ON_ANYTHING = {
    "ecr:DescribeRepositories",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:RegisterTaskDefinition",
    "ecs:StopServiceDeployment",
    "ecs:TagResource",
    "iam:SimulatePrincipalPolicy",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "ssm:GetParameters",
}
"""What the emulator asks for on `*`, whatever the request names."""
_OF_TAGS = "aws:ResourceTag/"
_USER = "ann"
_NOTHING = wrapped([{"Effect": "Allow", "Action": [FREE], "Resource": "*"}])


def for_emulator(document: dict[str, Any], account: str) -> dict[str, Any]:
    """Give a policy that the emulator takes as AWS takes `document`."""
    made: list[dict[str, Any]] = []
    for each in document["Statement"]:
        condition = {
            operator: keys
            for operator, keys in each.get("Condition", {}).items()
            if "ecs:cluster" not in keys and not any(each.startswith(_OF_TAGS) for each in keys)
        }
        kept = {key: value for key, value in each.items() if key != "Condition"}
        made.append({**kept, "Condition": condition} if condition else kept)
        more = {
            f"arn:aws:ecs:{REGION}:{account}:cluster/*": lambda action: action.startswith("ecs:"),
            f"arn:aws:logs:{REGION}:{account}:log-group:*": "logs:GetLogEvents".__eq__,
            "*": _ON_ANYTHING.__contains__,
        }
        for resource, asked in more.items():
            actions = [action for action in each["Action"] if asked(action)]
            if actions:
                made.append({"Effect": "Allow", "Action": actions, "Resource": resource})
    return wrapped(made)


class Guarded(World):
    """An account with all of the documented infrastructure, and a user who may do little in it."""

    def __init__(self, emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(emulator, folder)
        self._monkeypatch = monkeypatch
        self.services = Services(clock=FakeClock(), directory=self.directory, engine=FakeEngine())
        self.more_environ: dict[str, str] = {}
        self.story = ""
        """What ECS says of new deployments: nothing special, that they go on, or that they fail."""
        self.scaled: dict[str, Any] = {}
        """What auto scaling keeps the service to; nothing where it does not manage it."""
        self.judged_by: set[str] = set()
        """The actions that AWS would have judged the calls by."""
        self._refused: frozenset[str] = frozenset()
        iam = self.aws.client("iam")
        self._arn = iam.create_user(UserName=_USER)["User"]["Arn"]
        self._key = iam.create_access_key(UserName=_USER)["AccessKey"]
        self._balance()
        self.faults.judge = self._judge
        self.faults.rewrite("DescribeServices", self._tell)
        self.faults.rewrite("DescribeTasks", self._crash)

    def _balance(self) -> None:
        """Put a load balancer before the service."""
        subnets = self.aws.client("ec2").describe_subnets()["Subnets"]
        arn = self.account._balance(subnets)  # noqa: SLF001  # it is one of the tests' own
        self.account.target_group_arn = arn
        targets = [{"Id": f"10.0.0.{number}", "Port": 3000} for number in range(4)]
        self.aws.client("elbv2").register_targets(TargetGroupArn=arn, Targets=targets)
        edit(self.directory, "target_group: null", "target_group: schoolapp-tg")

    def serve(self, revision: str, count: int = 2) -> None:
        """Have the service run a revision behind the load balancer."""
        super().serve(revision, count)
        self.update_service(
            loadBalancers=[
                {
                    "targetGroupArn": self.account.target_group_arn,
                    "containerName": "web",
                    "containerPort": 3000,
                }
            ],
        )

    def register(self, tag: str, completed_at: str = "") -> None:
        """Push an image and register a revision of it, as `deploy` would leave them."""
        image = f"{self.faults.host}/{NAME}@{self.account.push(tag)}"
        tags = {"schoolctl:tag": tag} | ({COMPLETED: completed_at} if completed_at else {})
        roles = f"arn:aws:iam::{self.aws.account}:role/schoolapp"
        log = {
            "awslogs-group": f"/ecs/{NAME}",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "web",
        }
        self.account.ecs.register_task_definition(
            family=NAME,
            networkMode="awsvpc",
            executionRoleArn=f"{roles}-execution",
            taskRoleArn=f"{roles}-task",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": image,
                    "memory": 128,
                    "environment": [
                        {"name": "PARAM_HOST_PATH", "value": "/schoolapp/dev/db_host"},
                        {"name": "DB_SECRET_ARN", "value": self.account.secret_arn},
                    ],
                    "logConfiguration": {"logDriver": "awslogs", "options": log},
                }
            ],
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )

    def update_service(self, **changes: Any) -> None:
        """Change the service, some time ago."""
        self.account.ecs.update_service(cluster="schoolapp", service=NAME, **changes)
        self._seen |= {each["id"] for each in self.account.service()["deployments"]}

    # Who may do what

    def permissions(self, command: str) -> tuple[Permission, ...]:
        """Give what a command needs in this project."""
        return needed(self._scope().config, command)

    def allow(self, permissions: Iterable[Permission]) -> None:
        """Let the user do this and nothing else."""
        given = tuple(permissions)
        made = wrapped(statements(given, self._scope())) if given else _NOTHING
        self.aws.client("iam").put_user_policy(
            UserName=_USER,
            PolicyName="allowed",
            PolicyDocument=json.dumps(for_emulator(made, self.aws.account)),
        )
        allowed = {each.action for each in given}
        judged = {action for actions in JUDGED_HERE.values() for action in actions}
        self._refused = frozenset(judged - allowed)

    def _scope(self) -> Scope:
        file = load_config_file(None, cwd=self.directory)
        every = [each.config for each in file.all().values()]
        ours = [each for each in every if each.account == self.aws.account]
        return Scope(file.resolve(None).config, REGION, self.aws.account, ours)

    def as_user(self, *words: str, stdin: str = "") -> Result:
        """Run the command in this process, as the user."""
        environ = {
            **self.environ,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self._key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self._key["SecretAccessKey"],
            **self.more_environ,
        }
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.chdir(self.directory)
        done = Project(self.directory, self.services).invoke(*words, stdin=stdin)
        self.faults.settle()
        return done

    # What the proxy does for the emulator

    def _judge(self, exchange: Exchange) -> Rule | None:
        operation, service = exchange.operation, service_of(exchange.headers)
        implied = JUDGED_HERE.get(operation, ())
        if operation == "UpdateService" and b'"taskDefinition"' not in exchange.body:
            implied = ()  # no role is handed to anybody
        if operation == "UpdateService" and self.story == GOES_ON:
            self.story = ""  # what was in progress is replaced
        own = {f"{service}:{operation}"} if service else set()
        self.judged_by |= {*own, *implied} - {FREE}
        refused = next((each for each in implied if each in self._refused), None)
        if refused is not None:
            return lambda exchange: self._deny(exchange, refused)
        if operation in ABSENT:
            return lambda exchange: exchange.reply(200, self._scale(operation, exchange.body))
        made: Callable[[dict[str, Any]], dict[str, Any]] | None = {
            "ListServiceDeployments": self._list_record,
            "DescribeServiceDeployments": self._describe_record,
            "DescribeServiceRevisions": self._describe_revisions,
            "StopServiceDeployment": self._go_back,
            "DescribeImageScanFindings": lambda _: {
                "imageScanStatus": {"status": "COMPLETE"},
                "imageScanFindings": {"findingSeverityCounts": {}},
            },
            "ExecuteCommand": lambda _: {
                "session": {"sessionId": "s", "streamUrl": "wss://s", "tokenValue": "canary-t"}
            },
        }.get(operation)
        if operation == "ListTasks" and self.story == CRASHES and b"STOPPED" in exchange.body:
            made = self._list_crashed
        if made is None:
            return None

        def rule(exchange: Exchange) -> None:
            status, content, headers = exchange.forward()
            if b"not authorized" in content:
                exchange.reply(status, content, headers)
            else:
                exchange.reply(200, json.dumps(made(json.loads(exchange.body))).encode())

        return rule

    def _deny(self, exchange: Exchange, action: str) -> None:
        message = (
            f"User: {self._arn} is not authorized to perform: {action} because no identity-based"
            f" policy allows the {action} action"
        )
        if exchange.path.startswith("/v2/"):
            said = {"errors": [{"code": "DENIED", "message": message}]}
            exchange.reply(403, json.dumps(said).encode())
        else:
            exchange.reply(400, error_body("AccessDeniedException", message, exchange.headers))

    # What becomes of deployments

    def _tell(self, content: bytes) -> bytes:
        """Have DescribeServices tell the story of the newest deployment."""
        if not self.story:
            return self._take_a_look_longer(content)
        answer = json.loads(content)
        for service in answer.get("services", ()):
            newest = service["deployments"][0]
            if self.story == CRASHES and newest["id"] in self._seen:
                continue
            service["runningCount"] = 0
            newest |= {"runningCount": 0, "pendingCount": 1, **STORIES[self.story]}
            first = newest["taskDefinition"].rpartition(":")[0] + ":1"
            if self.story == CRASHES:
                old = {"id": "ecs-svc/0", "status": "ACTIVE", "rolloutState": "COMPLETED"}
                before = {**newest, **old, "taskDefinition": first, "failedTasks": 0}
                service["deployments"].append({**before, "createdAt": 0})
        return json.dumps(answer).encode()

    def _list_crashed(self, _: dict[str, Any]) -> dict[str, Any]:
        return self.account.ecs.list_tasks(cluster="schoolapp")  # type: ignore[no-any-return]  # boto3

    def _crash(self, content: bytes) -> bytes:
        """Have the tasks of new deployments stopped with an error."""
        answer = json.loads(end_one_off_tasks(content))
        for task in answer.get("tasks", ()):
            if self.story == CRASHES and task["group"].startswith("service:"):
                task |= {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
                for container in task["containers"]:
                    container |= {"lastStatus": "STOPPED", "exitCode": 1}
        return json.dumps(answer).encode()

    def _go_back(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.story = ""
        self.update_service(taskDefinition=f"{NAME}:1")
        return {"serviceDeploymentArn": asked["serviceDeploymentArn"]}

    def _scale(self, operation: str, body: bytes) -> bytes:
        """Answer as Application Auto Scaling does, with what it needs to be asked again."""
        if operation == "RegisterScalableTarget":
            self.scaled = json.loads(body)
        elif operation == "DeregisterScalableTarget":
            self.scaled = {}
        answers: dict[str, dict[str, Any]] = {
            "DescribeScalableTargets": {"ScalableTargets": [self.scaled] if self.scaled else []},
            "DescribeScalingPolicies": {"ScalingPolicies": []},
            "DescribeScheduledActions": {"ScheduledActions": []},
            "PutScalingPolicy": {"PolicyARN": "arn:policy", "Alarms": []},
        }
        return json.dumps(answers.get(operation, {})).encode()

    # ECS's own record, made of what the emulator knows

    def _deployments(self) -> dict[str, dict[str, Any]]:
        service = self.account.service()
        prefix = f"arn:aws:ecs:{REGION}:{self.aws.account}:service-deployment/schoolapp/{NAME}"
        return {
            f"{prefix}/{each['id'].rpartition('/')[2]}": each
            for each in (service["deployments"] if service else ())
        }

    def _status(self, deployment: dict[str, Any]) -> str:
        done = deployment.get("rolloutState") == "COMPLETED" and not self.story
        return "SUCCESSFUL" if done else "IN_PROGRESS"

    def _list_record(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [
            {
                "serviceDeploymentArn": arn,
                "status": self._status(each),
                "createdAt": each["createdAt"].timestamp(),
                "targetServiceRevisionArn": arn.replace("-deployment/", "-revision/"),
            }
            for arn, each in self._deployments().items()
        ]
        wanted = asked.get("status") or [each["status"] for each in found]
        return {"serviceDeployments": [each for each in found if each["status"] in wanted]}

    def _describe_record(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [
            {
                "serviceDeploymentArn": arn,
                "status": self._status(each),
                "createdAt": each["createdAt"].timestamp(),
                "targetServiceRevision": {"arn": arn.replace("-deployment/", "-revision/")},
            }
            for arn, each in self._deployments().items()
            if arn in asked["serviceDeploymentArns"]
        ]
        return {"serviceDeployments": found}

    def _describe_revisions(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = {
            arn.replace("-deployment/", "-revision/"): each["taskDefinition"]
            for arn, each in self._deployments().items()
        }
        return {
            "serviceRevisions": [
                {"serviceRevisionArn": arn, "taskDefinition": found[arn]}
                for arn in asked["serviceRevisionArns"]
                if arn in found
            ]
        }
