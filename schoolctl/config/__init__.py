"""schoolctl.yaml: how it is read, checked, merged and resolved for one environment."""

from schoolctl.config.file import (
    FILE_NAME,
    ConfigFile,
    ResolvedConfig,
    find_config_file,
    load_config_file,
    parse_config,
)
from schoolctl.config.merge import apply_overrides, deep_merge
from schoolctl.config.models import (
    FARGATE_MEMORY_MIB,
    Config,
    CredentialsConfig,
    DeploymentConfig,
    GitConfig,
    ImageConfig,
    ImagesConfig,
    NetworkConfig,
    ParameterConfig,
    ParameterType,
    SecretConfig,
    ServiceConfig,
    TaskConfig,
)
from schoolctl.config.origins import dump_values, list_values
from schoolctl.config.overlay import (
    dump_yaml,
    make_overlay_directory,
    overlay_path,
    remove_overlay,
    replace_file,
    write_overlay,
)
from schoolctl.config.problems import InvalidConfigError, Problem
from schoolctl.config.schema import json_schema, write_schema
from schoolctl.config.tree import OVERLAY_DIRECTORY, Layer, Origin
from schoolctl.config.written import write_commented

__all__ = [
    "FARGATE_MEMORY_MIB",
    "FILE_NAME",
    "OVERLAY_DIRECTORY",
    "Config",
    "ConfigFile",
    "CredentialsConfig",
    "DeploymentConfig",
    "GitConfig",
    "ImageConfig",
    "ImagesConfig",
    "InvalidConfigError",
    "Layer",
    "NetworkConfig",
    "Origin",
    "ParameterConfig",
    "ParameterType",
    "Problem",
    "ResolvedConfig",
    "SecretConfig",
    "ServiceConfig",
    "TaskConfig",
    "apply_overrides",
    "deep_merge",
    "dump_values",
    "dump_yaml",
    "find_config_file",
    "json_schema",
    "list_values",
    "load_config_file",
    "make_overlay_directory",
    "overlay_path",
    "parse_config",
    "remove_overlay",
    "replace_file",
    "write_commented",
    "write_overlay",
    "write_schema",
]
