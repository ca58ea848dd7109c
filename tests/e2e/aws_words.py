"""`aws SERVICE OPERATION --option value ...` as a program: what cures name is run as it is printed.

The real one is no dependency of the tests. Options are read by the operation's own model, as there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore import xform_name


def main(argv: list[str]) -> None:
    """Call the operation; its errors end the program."""
    service, operation, *words = argv
    client: Any = boto3.client(service)  # type: ignore[call-overload]  # the name is a variable
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name, "-"): name for name in model.input_shape.members}
    given: dict[str, list[str]] = {}
    option = ""
    for word in words:
        if word.startswith("--"):
            option = members[word.removeprefix("--")]
            given[option] = []
        else:
            given[option].append(word)
    request = {
        name: read(values, model.input_shape.members[name]) for name, values in given.items()
    }
    getattr(client, method)(**request)


def read(values: list[str], shape: Any) -> Any:
    """Read the words of an option as a value of a shape: JSON, or the short form."""
    if shape.type_name == "list":
        return [read([each], shape.member) for each in values]
    [value] = values
    match shape.type_name:
        case "structure" if value.startswith("{"):
            return json.loads(value)
        case "structure":
            pairs = (each.partition("=") for each in value.split(","))
            return {name: read([text], shape.members[name]) for name, _, text in pairs}
        case "integer" | "long":
            return int(value)
        case "boolean":
            return value == "true"
        case _:
            return value


if __name__ == "__main__":
    main(sys.argv[1:])
