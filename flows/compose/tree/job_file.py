"""A job from its YAML file: validated before anything loads, each problem with its line and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sluice.flows.compose.tree.job import UNNAMED, Job, node_of, what_is
from sluice.flows.compose.tree.misfit import Misfit
from sluice.flows.compose.tree.nodes import FILE, SOURCES, Node
from sluice.infra.settings import ConfigError, beginning, nearest, override, read_settings, said

EXAMPLES = Path(__file__).parents[2] / "configs" / "jobs"
NESTING = "models go into denoisers (guided, unite), these into steps (ddim, freedom, zmagic), these into amdm"
REASONS = {
    ("a model", "a step"): "a model predicts, and a step has gone on to the next moment: put it around all of these",
    ("a model", "a denoiser"): "what is guided is not guided again: name its model alone",
    ("a model", "a model"): "controls act on what a base, or Compose and Conquer over it, has encoded",
    ("a step", "an aggregate"): "aggregates are outermost",
}
"""Why something does not go where another is expected."""


def read_job(path: Path, settings: Sequence[str] = (), more: Mapping[str, Any] | None = None) -> Job:
    """The job in a file, with each `a.b=c` of settings in it, and `more` values over its own.

    Paths in it are beside the file. Raises ConfigError.
    """
    values = {**read_settings(path, "`prompts: [a red star]`"), **(more or {})}
    for setting in settings:
        override(values, setting, "steps=50")
    try:
        job = Job.model_validate(values)
    except ValidationError as error:
        raise _in_lines(path, problems_of(error)) from error
    return job


@contextmanager
def in_lines_of(path: Path) -> Iterator[None]:
    """Raises ConfigError, with the lines of a job's file, in place of Misfit."""
    try:
        yield
    except Misfit as error:
        raise _in_lines(path, error.problems) from error


def _in_lines(path: Path, problems: Iterable[tuple[Sequence[str | int], str]]) -> ConfigError:
    text = path.read_text()
    lines = [f"{path}:{line_of(text, place)}: {'.'.join(map(str, place))}: {said}" for place, said in problems]
    return ConfigError("\n".join(dict.fromkeys(lines)))


def example(name: str) -> str:
    """A commented job. Raises ConfigError for an unknown name."""
    names = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
    if name not in names:
        raise ConfigError(f"there is no example '{name}'; {nearest(name, names)}")
    return (EXAMPLES / f"{name}.yaml").read_text()


def problems_of(error: ValidationError) -> list[tuple[list[str | int], str]]:
    """What is wrong with a job, each with its place in the tree."""
    problems = [problem for problem in error.errors() if not _follows(problem)]
    return [(_place(problem), _said(problem)) for problem in problems]


def _said(problem: Any) -> str:
    if problem["type"] == "union_tag_invalid":
        kind, expected = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
        found = what_is(kind)
        if found is None:
            return f"there is no kind '{kind}'; {nearest(kind, _names(expected))}"
        reason = REASONS.get((_wanted(expected), found), NESTING)
        return f"{kind} is {found}, and here goes one of {expected}: {reason}"
    if problem["type"] == "union_tag_not_found":
        return "it has no `kind`"
    if problem["type"] == "extra_forbidden":
        return f"there is no such setting; {nearest(str(problem['loc'][-1]), _settings(problem['loc']))}"
    whole = problem["type"] == "missing" or isinstance(problem["input"], dict)
    given = "" if whole else f" (it is {beginning(problem['input'])})"
    return f"{said(problem)}{given}"


def _names(expected: str) -> list[str]:
    """The kinds that pydantic quotes and lists."""
    return expected.replace("'", "").split(", ")


def _wanted(expected: str) -> str:
    """What goes there, by the first of the kinds."""
    return what_is(_names(expected)[0]) or ""


def _settings(loc: Sequence[Any]) -> Iterable[str]:
    """What the node at pydantic's place, without its last part, can be told."""
    node: type[Node] = Job
    for part in loc[:-1]:
        node = UNNAMED.get(part) or node_of(part) or node
    return node.model_fields


def _follows(problem: Any) -> bool:
    """Whether it is but another problem's shadow: a list whose items are wrong counts as empty."""
    return problem["type"] == "too_short" and len(problem["input"]) > 0


def _place(problem: Any) -> list[str | int]:
    """Pydantic's place without the tags of unions, which no file has as names."""
    place: list[str | int] = []
    after_tag = False
    for number, part in enumerate(problem["loc"]):
        of_a_node = problem["type"] == "value_error"  # of a whole one, else the last part is a setting
        last = number == len(problem["loc"]) - 1 and not of_a_node
        named = isinstance(part, str) and what_is(part) is not None
        # A setting may be called as its node is: an energy of `colour` has a `colour`.
        after_tag = part in (FILE, *SOURCES) or (named and not after_tag and not last)
        if not after_tag:
            place.append(part)
    return place


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line of a place in a YAML text, or of the nearest thing around it, from 1."""
    node, line = yaml.compose(text), 1
    for part in place:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
