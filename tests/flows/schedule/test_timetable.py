"""Timetables: what they say, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.schedule.deployments import deployments, holds, tag_of
from sluice.flows.schedule.timetable import Entry, read_timetable
from sluice.infra.settings import ConfigError

WEEKLY = "runs:\n  weekly: {command: dataset build -c tabletop --source tabletop:20, cron: '0 3 * * 1'}\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "table.yaml"
    file.write_text(text)
    return file


def test_an_entry_is_due_by_cron_or_after_a_span_or_when_there_is_news(tmp_path: Path) -> None:
    text = (
        WEEKLY
        + "  hourly: {command: evaluate --suite papers, every: 1h}\n"
        + "  news: {command: dataset build, when: new images}\n"
    )
    table = read_timetable(write(tmp_path, text))
    assert [entry.seconds for entry in table.runs.values()] == [None, 3600, 600]
    weekly, hourly, news = deployments(table, tmp_path / "table.yaml", None)
    assert weekly.schedules[0].schedule.cron == "0 3 * * 1"
    assert hourly.schedules[0].schedule.interval.total_seconds() == 3600
    assert hourly.schedules[0].schedule.anchor_date.isoformat() == "2024-01-01T00:00:00+00:00"
    assert weekly.parameters["words"] == ["dataset", "build", "-c", "tabletop", "--source", "tabletop:20"]
    assert [made.parameters["when_new"] for made in (weekly, hourly, news)] == [False, False, True]
    assert weekly.parameters["retries"] == {"count": 2, "after": 600}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{cron: '0 3 * * 1'}", r"runs.weekly.command: field required"),
        ("{command: models pull sd15, cron: '0 3 * * 1'}", r"weekly.command: .*a command of dataset, train, compose"),
        ("{command: submit train controlnet, every: 1h}", r"without `submit`: `cluster: NAME` says where"),
        ("{command: evaluate}", r"runs.weekly: .*say when: `cron`, `every` \(6h\), or `when: new images`"),
        ("{command: evaluate, cron: '0 3 * * 1', every: 1h}", r"`cron` goes with neither `every` nor `when`"),
        ("{command: evaluate, cron: '0 3 31 2 *'}", r"weekly.cron: .*'0 3 31 2 \*' never comes"),
        ("{command: evaluate, cron: ''}", r"weekly.cron: .*five fields"),
        ("{command: evaluate, cron: monday}", r"weekly.cron: .*five fields, such as \"0 3 \* \* 1\""),
        ("{command: evaluate, cron: '0 3 * * 1', timezone: Europe/Berlni}", r"did you mean 'Europe/Berlin'\?"),
        (
            "{command: evaluate, cron: '0 3 * * 1', timezone: none}",
            r"timezone: .*no time zone; give one of IANA's, such",
        ),
        (
            "{command: evaluate, every: soon}",
            r"yaml: runs.weekly.every: soon: give a number with s, m, h or d behind it",
        ),
        ("{command: evaluate, every: -5m}", r"yaml: runs.weekly.every: -5m: give a number"),
        ("{command: evaluate, every: 1000000000d}", r"every: 1000000000d: give a hundred years, 36500d, or less"),
        ("{command: evaluate, every: 0s}", r"runs.weekly.every: it is 0s, and no run is over so soon"),
        ("{command: evaluate, every: 4s}", r"runs.weekly.every: it is 4s, and no run is over so soon: 5s or more"),
        ("{command: evaluate, every: 1h, retry_after: soon}", r"runs.weekly.retry_after: soon: give a number"),
        ("{command: evaluate, when: new images}", r"`when: new images` is for `dataset build`"),
        ("{command: evaluate, every: 1h, cpus: 8}", r"`cpus` and `gpus` are of a cluster's machine: name it"),
        ("{command: evaluate, evry: 1h}", r"there is no 'runs.weekly.evry'; did you mean 'every'"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_with_its_place(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_timetable(write(tmp_path, f"runs:\n  weekly: {entry}\n"))


def test_names_are_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'a week/ly' is no name"):
        read_timetable(write(tmp_path, "runs:\n  a week/ly: {command: evaluate, every: 1h}\n"))
    with pytest.raises(ConfigError, match=r"'wwww.*' is too long a name: 64 letters at most"):
        read_timetable(write(tmp_path, f"runs:\n  {'w' * 65}: {{command: evaluate, every: 1h}}\n"))


def test_commands_are_understood_before_anything_is_put_anywhere(tmp_path: Path) -> None:
    wrong = write(tmp_path, WEEKLY.replace("tabletop:20", "tabletop:20 --set shard_sise=3"))
    with pytest.raises(ConfigError, match=r"runs\.weekly: .*did you mean 'shard_size'"):
        deployments(read_timetable(wrong), wrong, None)
    here = write(tmp_path, WEEKLY.replace("cron:", "cluster: a800, cron:"))
    with pytest.raises(ConfigError, match=r"runs\.weekly: .*out \(sluice-data\) would be of one machine alone"):
        deployments(read_timetable(here), here, None)


def test_an_unknown_option_is_told_with_the_entry_that_has_it(tmp_path: Path) -> None:
    wrong = write(tmp_path, WEEKLY.replace("tabletop:20", "tabletop:20 --cc x"))
    with pytest.raises(ConfigError, match=r"table\.yaml: runs\.weekly: No such option: --cc"):
        deployments(read_timetable(wrong), wrong, None)


def test_a_training_without_actors_needs_a_machine_for_itself(tmp_path: Path) -> None:
    train = "train controlnet --data s3://a/b --out /weights/one"
    alone = f"runs:\n  monthly: {{command: {train}, cron: '0 3 1 * *', cluster: a800, gpus: 8}}\n"
    (made,) = deployments(read_timetable(file := write(tmp_path, alone)), file, None)
    assert made.parameters["share"] == {"cpus": 0, "gpus": 8}
    with pytest.raises(ConfigError, match=r"runs\.monthly: .*give --ray N"):
        deployments(read_timetable(write(tmp_path, alone.replace(", gpus: 8", ""))), file, None)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("dataset build -c tabletop --out d --set stages.canny.lo=3", "did you mean 'low'"),
        ("dataset build -c tabletop --out d --source tabletop:many", "how many scenes"),
        ("train controlnet --data d --out o --set nosuch=1", "there is no 'nosuch'"),
        ("evaluate --protocol unit", "did you mean 'unite'"),
        ("dataset", "no whole command: one of plan, build"),
        ("dataset build --help", "says what there is and runs nothing"),
        ("dataset alias photos latest! 1a2b", "cannot be an alias"),
        ("gc data --delete --grace 1s", "--grace 1s: with --delete give at least 1h"),
        ("gc data --keep 2 --keep-since 2026-01-01", "two ways to say which versions stay"),
        ("compose nosuch.yaml --out o", "nosuch.yaml"),
        ("dataset remove photos --key 12", "is no key"),
        ("dataset build --out s3://", "is not a place"),
        ("compose job.yaml --ray-address somewhere", "is no address of a Ray cluster"),
    ],
)
def test_a_mistake_in_a_command_is_told_before_it_is_scheduled(command: str, told: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"runs:\n  one: {{command: '{command}', every: 1h}}\n")
    with pytest.raises(ConfigError, match=rf"runs\.one: .*{told}"):
        deployments(read_timetable(file), file, None)


def test_a_login_in_a_command_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = write(tmp_path, "runs:\n  one: {command: dataset build --source s3://me:secretpw@b/p, every: 1h}\n")
    with pytest.raises(ConfigError, match=r"runs\.one: .*login") as raised:
        deployments(read_timetable(file), file, None)
    assert "secretpw" not in str(raised.value)


def test_what_no_version_needs_is_collected_on_time_but_not_on_a_cluster(tmp_path: Path) -> None:
    one = "runs:\n  tidy: {command: gc data --keep 3 --delete, cron: '0 4 * * 1'}\n"
    (made,) = deployments(read_timetable(file := write(tmp_path, one)), file, None)
    assert made.parameters["words"] == ["gc", "data", "--keep", "3", "--delete"]
    with pytest.raises(ConfigError, match=r"runs\.tidy: submit takes a command of dataset, train, compose, evaluate"):
        deployments(read_timetable(write(tmp_path, one.replace("cron:", "cluster: a800, cron:"))), file, None)


def test_a_relative_url_file_is_meant_from_the_timetable(tmp_path: Path) -> None:
    assert read_timetable(write(tmp_path, f"notify: webhook\n{WEEKLY}")).notify == tmp_path / "webhook"
    assert read_timetable(write(tmp_path, f"notify: ~/webhook\n{WEEKLY}")).notify == Path.home() / "webhook"


def test_timetables_are_told_apart_by_file_and_pool(tmp_path: Path) -> None:
    tags = [tag_of(tmp_path / f"{name}.yaml", pool) for name in ("Our_team", "b") for pool in ("gpu", "cpu", None)]
    assert tags[0] == "sluice-our-team-gpu"
    assert len(set(tags)) == 5, "a server of our own serves one"


def test_what_writes_to_one_place_waits_for_each_other(tmp_path: Path) -> None:
    def held(command: str) -> str:
        return holds(Entry(command=command, every="1h"), tmp_path)

    weekly = held("dataset build -c tabletop --out data")
    assert held(f"dataset build -c tabletop --source tabletop:9 --out {tmp_path}/data") == weekly
    assert held("dataset build -c tabletop --out ~/data") == held(
        f"dataset build -c tabletop --out {Path.home()}/data/"
    )
    assert held(f"dataset build -c tabletop --out ../{tmp_path.name}/data") == weekly
    assert held("dataset build -c tabletop --out s3://a/b/") == held("dataset build -c tabletop --out s3://a/b")
    for of_it in (
        "remove data/datasets/tabletop --key 0123456789abcdef",
        "alias tabletop good latest --out data",
        "drift --out data",
    ):
        assert held(f"dataset {of_it.replace('drift', 'drift -c tabletop')}") == weekly
    assert held("evaluate --suite papers --place p --out a") == held("evaluate --suite ablations --place p --out b")
    others = [
        held("dataset build -c tabletop --out data2"),
        held("dataset build -c tabletop --out data --set name=other"),
        held("train controlnet --data data/datasets/tabletop --out data"),
        held("evaluate --suite papers --place data/evaluation"),
    ]
    assert len({weekly, *others}) == 5
