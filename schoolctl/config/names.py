"""The names that AWS allows, as types, and the base class of every mapping of the file.

A name may hold `{app}` and `{environment}`; they are filled in when an environment is resolved.

Source: the service models of ECS, ECR, SSM, Secrets Manager, CloudWatch Logs, Elastic Load
Balancing, IAM and EC2 (patterns, and the limits in the documentation of each member).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from schoolctl.base.text import count

PLACEHOLDERS: Final = ("app", "environment")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_DASHES: Final = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad\ufe58\ufe63\uff0d")


@dataclass(frozen=True)
class Name:
    """What one kind of name may look like.

    Args:
        kind: what it is called in an error, with its article.
        pattern: of the whole name.
        allowed: the pattern in words.
        longest: its limit in characters.
        arn: the pattern of an ARN that may stand instead, if one may.
    """

    kind: str
    pattern: str
    allowed: str
    longest: int
    shortest: int = 1
    arn: str = ""

    def check(self, text: str, info: ValidationInfo) -> str:
        """Fill in the placeholders and give the name, or say what is wrong with it."""
        name = expand(text, info.context or {})
        if _PLACEHOLDER.search(name):
            return name  # one layer by itself: what the name will be is not known yet
        return self.check_fixed(name)

    def check_fixed(self, text: str) -> str:
        """Give the name, or say what is wrong with it; placeholders have no meaning in it."""
        complaint = self.complain(text)
        if complaint:
            raise PydanticCustomError("name", "{complaint}", {"complaint": complaint})
        return text

    def complain(self, name: str) -> str:
        """Say what is wrong with `name`; empty if nothing is."""
        if self.arn and name.startswith("arn:"):
            if re.fullmatch(self.arn, name):
                return ""
            return f'"{name}" is not the ARN of {self.kind}'
        strange = describe_strange_characters(name)
        if strange:
            return f'"{name}" {strange}'
        if not self.shortest <= len(name) <= self.longest:
            limits = f"{self.shortest} to {self.longest}"
            allowed = str(self.longest) if self.shortest == self.longest else limits
            return f'"{name}" has {count(len(name), "character")}; {self.kind} has {allowed}'
        if not re.fullmatch(self.pattern, name):
            return f'"{name}" cannot be {self.kind}: {self.allowed}'
        return ""


def expand(text: str, values: dict[str, str]) -> str:
    """Fill in `{app}` and `{environment}`; any other `{...}` is an error.

    Args:
        text: the name as it was written.
        values: what the placeholders stand for; one that is missing is left as it is.
    """

    def fill(match: re.Match[str]) -> str:
        if match[1] not in PLACEHOLDERS:
            raise PydanticCustomError(
                "placeholder",
                "`{found}` is no placeholder; there are {known}",
                {"found": match[0], "known": " and ".join(f"{{{each}}}" for each in PLACEHOLDERS)},
            )
        return values.get(match[1], match[0])

    return _PLACEHOLDER.sub(fill, text)


def describe_strange_characters(text: str) -> str:
    """Say which characters of `text` are not what they look like; empty if there are none."""
    for position, character in enumerate(text, 1):
        if character.isascii() and character.isprintable():
            continue
        name = unicodedata.name(character, f"U+{ord(character):04X}")
        shown = f"holds U+{ord(character):04X} ({name}) as character {position}"
        if character in _DASHES:
            return f"{shown}; type the hyphen of the keyboard, -"
        return f"{shown}, which is not allowed there"
    return ""


def _check_url(text: str) -> str:
    problem, shown = "", f'"{text}" '
    try:
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            problem = "is no http:// or https:// URL"
        elif parts.username is not None:
            shown = ""  # not even in an error
            problem = "holds credentials; they belong in .schoolctl/<environment>.yaml"
        elif parts.port == 0 or any(blank in text for blank in " \t\n"):
            problem = "is no usable URL"
    except ValueError as error:
        problem = f"is no URL: {error}"
    if problem:
        raise PydanticCustomError("url", "{problem}", {"problem": shown + problem})
    return text


_ECS_NAME: Final = "letters, digits, - and _"
_STACK_NAME: Final = "letters, digits and -, beginning with a letter (it stands in a stack's name)"
_ROLE_ARN: Final = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"
_TARGET_GROUP_ARN: Final = (
    r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+"
)
_SECRETS_MANAGER_ARN: Final = (
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+"
)

APP: Final = Name(
    "an app name",
    r"(?!(?i:aws|ssm))[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?",
    f"{_STACK_NAME}, and not with aws or ssm, which SSM keeps for itself",
    63,
)
ENVIRONMENT: Final = Name(
    "an environment name", r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?", _STACK_NAME, 63
)

AppName: TypeAlias = Annotated[str, AfterValidator(APP.check_fixed)]
RepositoryName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a repository name",
            r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
            "lower-case letters and digits, joined by one of . _ - /",
            256,
            shortest=2,
        ).check
    ),
]
FamilyName: TypeAlias = Annotated[
    str, AfterValidator(Name("a task family", r"[A-Za-z0-9_-]+", _ECS_NAME, 255).check)
]
ContainerName: TypeAlias = Annotated[
    str, AfterValidator(Name("a container name", r"[A-Za-z0-9_-]+", _ECS_NAME, 255).check)
]
ClusterName: TypeAlias = Annotated[
    str, AfterValidator(Name("a cluster name", r"[A-Za-z0-9_-]+", _ECS_NAME, 255).check)
]
ServiceName: TypeAlias = Annotated[
    str, AfterValidator(Name("a service name", r"[A-Za-z0-9_-]+", _ECS_NAME, 255).check)
]
RoleName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a role",
            r"[A-Za-z0-9_+=,.@-]+",
            "letters, digits and _+=,.@-, or an ARN",
            64,
            arn=_ROLE_ARN,
        ).check
    ),
]
LogGroupName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a log group", r"[A-Za-z0-9._/#-]+", "letters, digits and one of . - _ / #", 512).check
    ),
]
TargetGroupName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a target group",
            r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?",
            "letters, digits and - inside, or an ARN",
            32,
            arn=_TARGET_GROUP_ARN,
        ).check
    ),
]
SecurityGroupName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a security group",
            r"sg-[0-9a-z]+|(?!sg-)[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]+",
            "an id such as sg-0123456789abcdef0, or a name of letters, digits, spaces"
            " and ._-:/()#,@[]+=&;!$*",
            255,
        ).check
    ),
]
SubnetId: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a subnet id", r"subnet-[0-9a-z]+", "such as subnet-0123456789abcdef0", 64).check_fixed
    ),
]
ParameterKey: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a parameter's key",
            r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*",
            "letters, digits, _ . - and / inside",
            512,
        ).check_fixed
    ),
]
SecretKey: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a secret's key",
            r"[A-Za-z0-9_+=.@-]+(?:/[A-Za-z0-9_+=.@-]+)*",
            "letters, digits, _+=.@- and / inside",
            384,
        ).check_fixed
    ),
]
SecretArn: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a secret's ARN",
            _SECRETS_MANAGER_ARN,
            "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
            2048,
        ).check_fixed
    ),
]
VariableName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a variable's name",
            r"[A-Za-z_][A-Za-z0-9_]*",
            "letters, digits and _, not beginning with a digit",
            255,
        ).check_fixed
    ),
]
HealthPath: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a health path", r"/[^\s?#]*(?:\?[^\s#]*)?", "a path that begins with /", 1024
        ).check_fixed
    ),
]
AccountId: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("an account id", r"[0-9]{12}", "12 digits, in quotes", 12, shortest=12).check_fixed
    ),
]
RegionName: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a region", r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}", "such as us-east-1", 32).check_fixed
    ),
]
RegistryHost: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a registry",
            r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?",
            "a host and a port, such as 127.0.0.1:4566, without https://",
            255,
        ).check_fixed
    ),
]
EndpointUrl: TypeAlias = Annotated[str, AfterValidator(_check_url)]


Text: TypeAlias = Annotated[str, Field(min_length=1)]
Texts: TypeAlias = Annotated[tuple[Text, ...], Field(strict=False)]


class Section(BaseModel):
    """A mapping of the file: frozen, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True)
