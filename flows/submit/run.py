"""The first that runs of a job, on a machine of which nothing is known: it goes along beside the package."""

import sys

NEEDED = (3, 11)
IMAGE = "start the cluster from the image of infra/docker that goes with this Sluice"


def run() -> None:
    """The command that the job is. Ends with words where this machine's Python is none for it."""
    if sys.version_info < NEEDED:
        sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}, and Sluice needs 3.11 or newer: {IMAGE}")
    try:
        from sluice.flows.cli import command_line
    except ModuleNotFoundError as error:
        sys.exit(f"{sys.executable} on this cluster lacks what Sluice needs ({error}): {IMAGE}")
    command_line()


if __name__ == "__main__":
    run()
