"""A JSON schema of params.yaml and of suites/NAME.yaml, by which an editor completes and checks.

One schema serves both kinds of files: what has `experiments` is a suite. It is made of the models
that check the settings, those of plug-ins included, and so it imports torch.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pstl.config.params import Settings
from pstl.config.settings import TRANSFER, MethodSettings, TaskSettings
from pstl.config.suites import Suite
from pstl.registry import dataset_names, load_dataset, load_recipe, names
from pstl.registry import load as load_plugin

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Schema:
    """The schema of both kinds of files."""
    definitions: Schema = {}
    entries = {"methods": _methods(definitions), "tasks": _tasks(definitions)}
    datasets = {name: load_dataset(name).Config for name in names("data.datasets")}
    settings = _model(Settings, definitions)
    kinds = {name: load_plugin("data.kinds", name).KIND.Config for name in names("data.kinds")}
    declared = {"anyOf": list(_models(kinds, definitions).values()), "required": ["kind"]}
    known = {**_closed(_models(datasets, definitions)), "additionalProperties": declared}
    settings["properties"] |= {**entries, "datasets": known}
    suite = _model(Suite, definitions)
    suite["properties"] |= entries
    suite["properties"]["datasets"] = {"type": "object", "additionalProperties": declared}
    for block in (suite, definitions["Experiment"]):
        _either(block["properties"], "streams", {"const": "all"})
        block["properties"]["dataset"]["enum"] = list(dataset_names())
    return {
        "$schema": DRAFT,
        "title": "Settings of pstl: params.yaml and suites/NAME.yaml",
        "if": {"required": ["experiments"]},
        "then": suite,
        "else": settings,
        "$defs": definitions,
    }


def _methods(definitions: Schema) -> Schema:
    """Entries of `methods`: settings of the module that an entry names, or is called by."""
    entry = _model(MethodSettings, definitions)
    entry.pop("required", None)  # an entry is laid over its base, or over that of params.yaml
    for part in ("TrainSettings", "Weights"):
        definitions[part].pop("required", None)
    properties = entry["properties"]
    properties |= {"base": {"type": "string"}, "method": {"enum": names("methods")}}
    properties["encoder"] = _plugin("backbones", definitions)
    properties["recipe"] = _plugin("data.recipes", definitions)
    properties["protocol"] = {
        "type": "object",
        "properties": {TRANSFER: {"type": "string"}},
        "additionalProperties": {"type": "object"},
    }
    configs = {name: load_plugin("methods", name).Config for name in names("methods")}
    settings = _models(configs, definitions)
    by_name = {name: {"properties": {"settings": part}} for name, part in settings.items()}
    entry["allOf"] = [_when("method", name, part) for name, part in by_name.items()]
    definitions["MethodEntry"] = entry
    return _open(by_name, "MethodEntry")


def _tasks(definitions: Schema) -> Schema:
    """Entries of `tasks`: settings of the module that an entry names, or is called by."""
    about = _model(TaskSettings, definitions)["properties"]
    about |= {"kind": {"enum": names("tasks")}, "base": {"type": "string"}}
    configs = {name: load_plugin("tasks", name).TASK.settings for name in names("tasks")}
    by_name = {}
    for name, part in _models(configs, definitions).items():
        own = definitions[part["$ref"].rpartition("/")[2]]
        own.pop("required", None)
        properties = {**own["properties"], **about}
        by_name[name] = {"properties": properties, "additionalProperties": False}
    definitions["TaskEntry"] = {
        "type": "object",
        "properties": about,
        "allOf": [_when("kind", name, part) for name, part in by_name.items()],
    }
    return _open(by_name, "TaskEntry")


def _plugin(kind: str, definitions: Schema) -> Schema:
    """A plug-in by its name alone, or with its settings beside it."""
    known = names(kind)
    load = load_recipe if kind == "data.recipes" else lambda name: load_plugin(kind, name)
    configs = {name: load(name).Config for name in known}
    cases = []
    for name, part in _models(configs, definitions).items():
        own = definitions[part["$ref"].rpartition("/")[2]]
        properties = {**own.get("properties", {}), "name": {"enum": known}}
        closed = {"properties": properties, "additionalProperties": False}
        cases.append(_when("name", name, closed))
    settings = {"type": "object", "properties": {"name": {"enum": known}}, "allOf": cases}
    return {"anyOf": [{"enum": known}, settings]}


def _models(models: Mapping[str, type[BaseModel]], definitions: Schema) -> dict[str, Schema]:
    """A reference to the schema of each model, which joins the definitions."""
    references = {}
    for name, model in models.items():
        schema = _model(model, definitions)
        place = f"{model.__module__}.{model.__qualname__}"
        definitions[place] = schema
        references[name] = {"$ref": f"#/$defs/{place}"}
    return references


def _model(model: type[BaseModel], definitions: Schema) -> Schema:
    """The schema of one model; what it consists of joins the definitions."""
    _, made = models_json_schema([(model, "validation")], ref_template="#/$defs/{model}")
    parts: Schema = made["$defs"]
    schema: Schema = parts.pop(model.__name__)
    for name, part in parts.items():
        definitions.setdefault(name, part)
    return schema


def _when(key: str, value: str, schema: Schema) -> Schema:
    """A schema for objects that have this value."""
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": schema}


def _open(by_name: Mapping[str, Schema], entry: str) -> Schema:
    """Entries of free names; one that is called like a module is of that module."""
    reference = {"$ref": f"#/$defs/{entry}"}
    known = {name: {"allOf": [reference, part]} for name, part in by_name.items()}
    return {"type": "object", "properties": known, "additionalProperties": reference}


def _closed(by_name: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(by_name), "additionalProperties": False}


def _either(properties: Schema, name: str, other: Schema) -> None:
    properties[name] = {"anyOf": [other, properties[name]]}
