"""What a command's settings say, read here as the command will read them there: a mistake is told before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluice.flows.reach import refuse_malformed
from sluice.flows.submit.contents import config_of, jobs_in
from sluice.infra.logins import LOGIN, without_logins
from sluice.infra.settings import ConfigError
from sluice.infra.storage import storage


def refuse_logins(text: str) -> None:
    """Raises ConfigError: what is sent or kept somewhere is read by others."""
    if LOGIN.search(text):
        raise ConfigError(
            f"'{without_logins(text)}' came with a login, which those who see runs would read: take it out. Keys to a "
            "bucket come by the environment of the machines, or a role of theirs."
        )


def refuse_unreadable(command: str, name: str, given: dict[str, Any]) -> None:
    """What the options of a command are for; `name` is the innermost command's.

    Raises ConfigError, UnknownName, BadAlias, StorageError, and NoCluster for an address that is none.
    """
    if given.get("ray_address"):
        refuse_malformed(given["ray_address"])
    for place in _places(given):
        storage(place)
    if command == "evaluate" and "suite" in given:
        _evaluation(given)
    elif command == "train" and "scale" in given:
        from sluice.flows.training.recipes import load_recipe

        load_recipe(given.get("file") or name, given["scale"], given["set_"] or ())
    elif command == "dataset" and "source" in given:
        _data_set(given)
    elif command == "dataset":
        _named_data_set(name, given)
    elif command == "compose" and given["job"] is not None:
        next(jobs_in(given), None)
    elif command == "gc":
        from sluice.flows.operate.keeping import grace_of, wish_of

        wish_of(given["keep"], given["keep_since"])
        grace_of(given["grace"], bool(given["out"] or not given["trained"]), given["delete"])


def _places(given: dict[str, Any]) -> Iterator[str]:
    """Where something is to be read or written."""
    for option in ("out", "to", "data", "checkpoints"):
        value = given.get(option) or ()
        yield from value if isinstance(value, list | tuple) else (str(value),)


def _evaluation(given: dict[str, Any]) -> None:
    from sluice.flows.evaluate.names import chosen
    from sluice.flows.evaluate.settings import settings_of

    over = {number: given[number] for number in ("scenes", "seeds", "steps")}
    for name in chosen(given["suite"], given["protocol"] or ()):
        settings_of(name, given["quick"], over)


def _data_set(given: dict[str, Any]) -> None:
    from sluice.preprocess.planning.config import make_source, make_stages

    config = config_of(given)
    if config.ray_address:
        refuse_malformed(config.ray_address)
    for value in (config.out, *config.source.values()):
        refuse_logins(str(value))
    make_source(config)
    make_stages(config)


def _named_data_set(name: str, given: dict[str, Any]) -> None:
    """A file of keys that is not there yet may be there when the command runs."""
    from sluice.flows.dataset.keys import read_keys
    from sluice.flows.dataset.named import meant
    from sluice.preprocess.version.alias import refuse_bad

    meant(given["data"], given["out"])
    if name == "alias":
        refuse_bad(given["alias"])
    elif given["keys"] is None or given["keys"].is_file():
        read_keys(given["keys"], given["key"] or ())
