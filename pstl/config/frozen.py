"""The base of every settings class."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Frozen(BaseModel):
    """Base of every settings class: values do not change after loading.

    Unknown keys and numbers that are not finite are errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic would read `k: true` as 1, and `k: [true]` as [1]."""
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, bool) and _takes_numbers(cls, info.field_name or ""):
                raise ValueError(f"expected a number, not {str(one).lower()}")
        return value


@cache
def _takes_numbers(model: type[BaseModel], field: str) -> bool:
    """Whether a field is for numbers, and not for true and false as well."""
    annotation = str(model.model_fields[field].annotation)
    numbers = "int" in annotation or "float" in annotation
    return numbers and "bool" not in annotation and "Any" not in annotation
