"""A section of settings as a checked model; a mistake is one line: file, line, key, known keys."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pstl.config.document import Document, Keys
from pstl.errors import UserError

LONGEST = 60  # characters of a value that an error repeats


@dataclass(frozen=True)
class Where:
    """A section of settings: its name in errors, and the places whose keys it is made of.

    places: the document and the keys of the section there, what counts most first.
    """

    name: str
    places: tuple[tuple[Document, Keys], ...] = ()

    def below(self, *keys: str | int) -> "Where":
        """One of the sections in this one."""
        name = ".".join([*([self.name] if self.name else []), *map(str, keys)])
        places = tuple((document, (*start, *keys)) for document, start in self.places)
        return replace(self, name=name, places=places)

    def text(self, keys: Keys = ()) -> str:
        """File, line and name, as they stand at the beginning of an error about one of the keys."""
        parts = [self._file(keys), self.name]
        return ": ".join(part for part in parts if part)

    def _file(self, keys: Keys) -> str:
        """The place of the keys; where they stand nowhere, that of what should hold them."""
        longest = max((len(start) for _, start in self.places), default=0) + len(keys)
        for cut in range(longest):
            for document, start in self.places:
                path = (*start, *keys)
                line = document.lines.get(path[: len(path) - cut])
                if line is not None:
                    return f"{document.path}, line {line}"
        return self.places[0][0].path if self.places else ""


def validated(model: type[BaseModel], section: Any, where: str | Where) -> Any:
    """`section` as a `model`.

    Raises: UserError that names the place, the key, what was found and what was expected.
    """
    place = Where(where) if isinstance(where, str) else where
    try:
        return model.model_validate(section)
    except ValidationError as error:
        # A mistyped key explains a missing one, and not the other way round.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        first, keys, reason = _explained(first, error.errors(), section)
        key = ".".join(str(part) for part in keys) or "top level"
        hint = _known_keys(model, keys) if first["type"] == "extra_forbidden" else ""
        value = f" (found {shortened(first['input'])})"
        if not keys and first["type"] == "value_error":
            value = ""  # everything there is; the reason names what matters of it
        raise UserError(f"{place.text(keys)}: {key}: {reason}{value}{hint}") from None


def known(name: Any, choices: Collection[str], what: str, where: Where | None = None) -> str:
    """`name`, if it is one of the choices. Raises: UserError that lists them."""
    place = f"{where.text()}: " if where and where.places else ""
    if not isinstance(name, str):
        raise UserError(f"{place}{what}: expected a name, found {shortened(name)}")
    if name in choices:
        return name
    similar = get_close_matches(name, list(choices), 1)
    hint = f"; did you mean {similar[0]}?" if similar else ""
    listed = ", ".join(sorted(choices))
    raise UserError(f"{place}unknown {what} {name!r}; known: {listed}{hint}")


def _explained(first: Any, errors: Collection[Any], section: Any) -> tuple[Any, Keys, str]:
    """An error, its keys, and why: of a value with several forms, what each of them asks for.

    Pydantic gives an error for each form. The one that got deepest into the value is meant, and
    before all a form that fits but for what we ask of it ourselves.
    """
    keys = _keys_of(first, section)
    if first["type"] == "extra_forbidden":
        return first, keys, _reason(first)
    forms = [other for other in errors if _keys_of(other, section)[: len(keys)] == keys]
    deepest = max(forms, key=lambda one: len(_keys_of(one, section)))
    keys = _keys_of(deepest, section)
    alike = [one for one in forms if _keys_of(one, section) == keys]
    asked = [one for one in alike if one["type"] == "value_error"] or alike
    reasons = list(dict.fromkeys(_reason(one) for one in asked))
    others = [reason.removeprefix("input should be ") for reason in reasons[1:]]
    return deepest, keys, ", or ".join([reasons[0], *others])


def _keys_of(error: Any, section: Any) -> Keys:
    """Where an error is, as the settings have it: pydantic names the form of a value, too."""
    keys: list[str | int] = []
    value = section
    for part in error["loc"]:
        is_key = isinstance(value, Mapping) and part in value
        is_list = isinstance(part, int) and isinstance(value, list | tuple)
        is_place = is_list and part < len(value)
        if is_key or is_place:
            value = value[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue
        keys.append(part)
    return tuple(keys)


def _reason(error: Any) -> str:
    """What pydantic says is wrong, in the words of a settings file."""
    reason = error["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    reason = re.sub(r"valid dictionary( or instance of \w+)?", "mapping, key: value", reason)
    reason = reason.replace("valid tuple", "list").replace(" after validation", "")
    reason = reason.replace("valid boolean, unable to interpret input", "valid boolean")
    return reason.replace("tuple", "list").replace("Input", "input")


def shortened(value: Any) -> str:
    """A value as errors repeat it."""
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _known_keys(model: Any, keys: Keys) -> str:
    """The keys that there are where an unknown one stands, the most similar first."""
    for part in keys[:-1]:
        inner = model.model_fields.get(part)
        model = _model_in(inner.annotation) if inner else model
        if model is None:
            return ""
    names = list(model.model_fields)
    similar = get_close_matches(str(keys[-1]), names, 1)
    hint = f"did you mean {similar[0]}? " if similar else ""
    return f"; {hint}known keys: {', '.join(names)}"


def _model_in(annotation: Any) -> Any:
    """The first settings class in a type such as dict[str, Suite]; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(part) for part in get_args(annotation))
    return next((model for model in models if model), None)
