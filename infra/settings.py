"""Settings from YAML: every value overridable by `--set a.b=c`, unknown names refused with the nearest known one."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins

M = TypeVar("M", bound=BaseModel)
MERGE = "tag:yaml.org,2002:merge"
MOST_REPEATED = 100_000
"""The values that a text's aliases may stand for: nested ones multiply, a kilobyte to more than any memory holds."""
_BEGINNING = reprlib.Repr()
_BEGINNING.maxlevel, _BEGINNING.maxstring, _BEGINNING.maxother = 3, 300, 300


class ConfigError(SluiceError):
    """A configuration says something that cannot be."""


def read_settings(path: Path, example: str) -> dict[str, Any]:
    """The mapping in a YAML file; `example` is what an error shows. Raises ConfigError."""
    try:
        values = _loaded(path.read_text(), str(path))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {path}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder: name the configuration file in it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a mapping such as {example}")
    return values


def override(values: dict[str, Any], setting: str, example: str) -> None:
    """Put `a.b.c=value` into nested mappings, the value read as YAML. Raises ConfigError."""
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set takes NAME=VALUE, as in --set {example}; this was '{setting}'")
    put(values, path, _loaded(text, f"--set {setting}: the value"), f"--set {setting}")


def put(values: dict[str, Any], path: str, value: Any, where: str) -> None:
    """Set `a.0.b`: in mappings, which are made where there are none, and items of lists. Raises ConfigError."""
    *folders, last = path.split(".")
    place: Any = values
    for name in folders:
        at = _key(place, name, where)
        if isinstance(place, dict) and place.get(at) is None:
            place[at] = {}
        place = place[at]
    place[_key(place, last, where)] = value


def _key(place: Any, name: str, where: str) -> Any:
    """What a part of a dotted name is in a mapping or a list."""
    if isinstance(place, dict):
        return name
    if not isinstance(place, list):
        raise ConfigError(f"{where}: there is a value before '{name}', and nothing inside it")
    if not (name.isdecimal() and int(name) < len(place)):
        raise ConfigError(f"{where}: items of this list are counted from 0 to {len(place) - 1}, and '{name}' is none")
    return int(name)


class _Strict(yaml.SafeLoader):
    """YAML whose mappings have each key once: of two, one would go unheard. Characters may be escaped as in JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._repeated = 0
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Aliases are counted as what they stand for, with the aliases in it."""
        event, before = self.peek_event(), self._values  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            self._repeat(event)
        else:
            self._values += 1
            if event.anchor:
                self._sizes[event.anchor] = self._values - before
        return node

    def _repeat(self, alias: Any) -> None:
        if alias.anchor not in self._sizes:
            raise yaml.composer.ComposerError(None, None, f"*{alias.anchor} holds itself", alias.start_mark)
        self._values += self._sizes[alias.anchor]
        self._repeated += self._sizes[alias.anchor]
        if self._repeated > MOST_REPEATED:
            most = f"aliases stand for more than {MOST_REPEATED} values, which no configuration needs"
            raise yaml.composer.ComposerError(None, None, most, alias.start_mark)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """PyYAML raises whatever a date of no calendar or a number of no digits makes it trip over."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            said = f"'{node.value}' is no such value as it looks like ({error}); put quotes around a text"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.tag != MERGE:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """JSON escapes a character beyond 16 bits as two halves."""
        value = super().construct_scalar(node)
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16") if isinstance(value, str) else value
        except UnicodeDecodeError as error:
            raise yaml.constructor.ConstructorError(None, None, "half a character", node.start_mark) from error


def _loaded(text: str, what: str) -> Any:
    """A text's values; raises ConfigError that names `what` it is."""
    try:
        return yaml.load(text, _Strict)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} is not YAML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{what} nests deeper than any configuration does") from error


def parse(model: type[M], values: Any, where: str) -> M:
    """Validate values; raises ConfigError with a line for each problem."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_described(error, model, where)) from error


def _described(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Lines that name the place, what is wrong and the nearest known name."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(
                f"{where}: there is no '{name}'; {nearest(str(problem['loc'][-1]), _known(model, problem['loc']))}"
            )
        else:
            given = "" if problem["type"] == "missing" or not name else f" (it is {beginning(problem['input'])})"
            place = f"{where}: {name}" if name else where
            lines.append(f"{place}: {said(problem)}{given}")
    return "\n".join(lines)


def beginning(value: Any) -> str:
    """A value as errors show it, without logins: of a long one, its beginning."""
    return without_logins(_BEGINNING.repr(without_logins(value) if isinstance(value, str) else value))


def said(problem: Any) -> str:
    """What pydantic says of a problem, as a clause, and of lists in the words of YAML."""
    if problem["type"] in ("tuple_type", "list_type"):
        return "here goes a list, as in [a, b]"
    text = problem["msg"].removeprefix("Value error, ")
    return f"{text[0].lower()}{text[1:]}"


def _known(model: Any, loc: Sequence[int | str]) -> list[str]:
    """The names that may stand where the last of a place does: of the model there, in whatever it lies."""
    kinds = [model]
    for part in loc[:-1]:
        kinds = [kind for own in kinds for kind in _models(_inside(own, part))]
    return [name for kind in kinds if hasattr(kind, "model_fields") for name in kind.model_fields]


def _inside(kind: Any, part: int | str) -> Any:
    fields = getattr(kind, "model_fields", {})
    return fields[part].annotation if part in fields else kind


def _models(kind: Any) -> list[Any]:
    """The pydantic models that an annotation holds."""
    if hasattr(kind, "model_fields"):
        return [kind]
    return [model for own in get_args(kind) for model in _models(own)]


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean 'x'?` where a name is close, else the list of names."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
