"""The configuration's JSON Schema for editors: the models' own, with the names that this installation knows."""

from collections.abc import Mapping
from typing import Any

import msgspec

from llm_canaries.config.known import Known
from llm_canaries.config.loopback import MirrorConfig
from llm_canaries.config.params import SECONDS
from llm_canaries.config.provider import AliasConfig, CredentialConfig, ProviderConfig
from llm_canaries.config.routing import EMBEDDED_ONLY
from llm_canaries.config.schema import CanaryConfig, Config, GatewayConfig, ModelConfig
from llm_canaries.config.values import DURATION_FORM

_SHORT_KEYS = [{"required": ["api_key"]}, {"required": ["token_file"]}]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(known: Known) -> dict[str, object]:
    """JSON Schema 2020-12 of canaries.yml: every name enumerated, params by scenario, no unknown keys."""
    schema: dict[str, Any] = _named(Config.model_json_schema(), known)
    shapes: dict[str, Any] = schema["$defs"]
    model = {"$ref": f"#/$defs/{ModelConfig.__name__}"}
    text = {"type": "string", "minLength": 1}
    shapes[GatewayConfig.__name__]["properties"]["models"]["items"] = {"anyOf": [text, model]}
    shapes[GatewayConfig.__name__] |= _of_a_kind()
    alias = {"$ref": f"#/$defs/{AliasConfig.__name__}"}
    shapes[ProviderConfig.__name__]["properties"]["aliases"]["additionalProperties"] = {"anyOf": [text, alias]}
    shapes[ProviderConfig.__name__] |= {"not": {"required": ["credentials"], "anyOf": _SHORT_KEYS}}
    shapes[MirrorConfig.__name__] |= {"oneOf": [{"required": ["listen"]}, {"required": ["url"]}]}
    shapes[CredentialConfig.__name__] |= {"anyOf": _SHORT_KEYS}
    shapes[CanaryConfig.__name__] |= _of_a_scenario(known, shapes)
    for shape in (schema, *shapes.values()):
        shape.pop("description", None)  # docstrings speak of Python
    return {"$schema": DIALECT, "title": "canaries.yml", **schema}


def _named(schema: Any, known: Known) -> Any:
    """The schema with each table of names as an enumeration; no nulls, which no key may have, nor Python's defaults."""
    if isinstance(schema, list):
        return [_named(each, known) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if table := schema.get("x-known"):
        return {"enum": sorted(getattr(known, table))} | {key: schema[key] for key in ("description",) if key in schema}
    found = {key: _named(value, known) for key, value in schema.items() if not _of_python(key, value)}
    if "patternProperties" in found:
        found.setdefault("additionalProperties", False)
    options = [option for option in found.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1 and "anyOf" in found:
        del found["anyOf"]
        return options[0] | found
    return found | ({"anyOf": options} if options else {})


def _of_python(key: str, value: Any) -> bool:
    """Whether a keyword is noise: a property may have such a name too, its value is then a schema."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and not _is_schema(value))


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and bool({"type", "anyOf", "$ref", "enum"} & value.keys())


def _of_a_kind() -> dict[str, Any]:
    """An embedded gateway has providers, any other one a URL, and may have a twin."""
    absent = dict.fromkeys(("url", "api_key", "headers", "twin"), False)
    return {
        "if": {"properties": {"kind": {"const": "embedded"}}, "required": ["kind"]},
        "then": {"properties": absent},
        "else": {"properties": dict.fromkeys(EMBEDDED_ONLY, False), "required": ["url"]},
    }


def _of_a_scenario(known: Known, shapes: dict[str, Any]) -> dict[str, Any]:
    """Either a definition or a scenario with a name, and its params where the scenario is known."""
    types = list(known.scenarios.values())
    references, components = msgspec.json.schema_components(types, ref_template="#/$defs/params.{name}")
    for name, component in components.items():
        shapes[f"params.{name}"] = _params(component)
    rules: list[dict[str, Any]] = []
    for scenario, reference in zip(known.scenarios, references, strict=True):
        rules.append(_rule({"scenario": {"const": scenario}}, reference))
        users = sorted(name for name, each in known.plays.items() if each == scenario)
        if users:
            own = shapes[reference["$ref"].rsplit("/")[-1]]
            rules.append(_rule({"use": {"enum": users}}, {key: own[key] for key in own if key != "required"}))
    choice = [{"required": ["use"]}, {"required": ["scenario", "name"]}]
    return {"oneOf": choice, "not": {"required": ["use", "scenario"]}} | ({"allOf": rules} if rules else {})


def _rule(condition: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "if": {"properties": condition, "required": list(condition)},
        "then": {"properties": {"params": dict(params)}},
    }


def _params(component: Mapping[str, Any]) -> dict[str, Any]:
    """A params Struct: no unknown fields, and durations where the field is in seconds."""
    if "properties" not in component:
        return dict(component)
    duration = {"type": "string", "pattern": f"^{DURATION_FORM}$"}
    fields = {
        name: {"anyOf": [field, duration]} if name.endswith(SECONDS) else field
        for name, field in component["properties"].items()
    }
    return dict(component) | {"properties": fields, "additionalProperties": False}
