"""What the models of a configuration are made of: frozen mappings, names out of tables, lists that are not empty."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema, core_schema

from llm_canaries.config.known import Known
from llm_canaries.config.problems import allowed
from llm_canaries.config.values import Line, Refused


@dataclass(frozen=True)
class Of:
    """A name out of one table of `Known`, found in the validation's context; anything goes without one."""

    noun: str
    table: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "x-known": self.table}

    def check(self, value: str, info: ValidationInfo) -> str:
        """The value, if the table has it. Raises Refused."""
        if isinstance(info.context, Known) and value not in (names := getattr(info.context, self.table)):
            raise Refused(f"is not a known {self.noun}; {allowed(value, names)}")
        return value


@dataclass(frozen=True)
class NotEmpty:
    """A list or mapping with something in it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        bounds = {"minItems": 1, "uniqueItems": True} if found["type"] == "array" else {"minProperties": 1}
        return found | bounds

    def check(self, value: Any) -> Any:
        """The value. Raises Refused."""
        if not value:
            raise Refused("is empty; write at least one")
        return value


def one_of(noun: str, *names: str) -> BeforeValidator:
    """A validator that lets `names` through and tells of anything else."""

    def check(value: object) -> object:
        if value not in names:
            raise Refused(f"is not a {noun}; {allowed(value, names)}")
        return value

    return BeforeValidator(check)


Filled = NotEmpty()
KindName = Annotated[str, Of("kind", "kinds")]
DialectName = Annotated[str, Of("dialect", "dialects")]
ProfileName = Annotated[str, Of("profile", "profiles")]
ScenarioName = Annotated[str, Of("scenario", "scenarios")]
DefinitionName = Annotated[str, Of("definition", "definitions")]
Dialects = Annotated[tuple[DialectName, ...], Filled]
Patterns = Annotated[tuple[Line, ...], Filled]


class Shape(BaseModel):
    """A mapping with these keys and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)
