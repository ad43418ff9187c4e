"""What a cluster sees of what a command names, and which files of this machine travel there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sluice.flows.submit.clusters import Cluster
from sluice.infra.errors import SluiceError

LARGEST, LARGEST_ALL = 10 * 2**20, 100 * 2**20


class CannotSubmit(SluiceError):
    """A command that could not run on the cluster as it is."""


@dataclass(frozen=True)
class Sight:
    """What a cluster of a name sees, and the files of this machine that are taken along to where it will."""

    cluster: Cluster
    name: str
    files: dict[Path, str] = field(default_factory=dict)

    def refuse_unseen(self, what: str, place: str) -> None:
        """Raises CannotSubmit for a place that is not the same on all machines."""
        if not self.cluster.sees(place):
            raise CannotSubmit(f"{what} would be of one machine alone, and the others do not see it: give {self.seen}")

    @property
    def seen(self) -> str:
        """What can be given instead."""
        shared = self.cluster.shared
        return "s3://..." + (f", or a folder under {' or '.join(shared)}" if shared else "") + f" ({self.name})"

    def take(self, file: Path, there: str) -> None:
        """Take a file along. Raises CannotSubmit for a large one."""
        if file.stat().st_size > LARGEST:
            raise CannotSubmit(
                f"{file} is larger than 10 MiB, and what is large does not travel in a job: put it where the cluster "
                "sees it, and name that"
            )
        self.files[file] = there

    def refuse_many(self) -> None:
        """Raises CannotSubmit where the files are large together."""
        if sum(file.stat().st_size for file in self.files) > LARGEST_ALL:
            raise CannotSubmit(
                f"{len(self.files)} files of this machine are named, more than 100 MiB in all, and what is large does "
                "not travel in a job: put them where the cluster sees them, and name that"
            )

    def take_beside(self, job: Path, image: Path) -> None:
        """Take along what a job names in its own folder. Raises CannotSubmit for what is not there."""
        file = job.parent / image
        if ".." in image.parts or not file.is_file():
            raise CannotSubmit(f"{file}, a condition of the job, must be a file below the job's own to travel with it")
        self.take(file, str(Path(self.files[job]).parent / image))
