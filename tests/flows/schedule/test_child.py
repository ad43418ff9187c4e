"""A command whose flow is gone ends, and in order."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from sluice.flows.schedule import child


def test_a_command_ends_with_the_process_that_holds_its_life_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        listed = tmp_path / "clusters.yaml"
        listed.write_text(f"here: {{address: 'http://127.0.0.1:{never_answers.getsockname()[1]}', token: null}}")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", child.__name__, "logs", "weekly-48", "--cluster", "here"],
            env={**os.environ, "SLUICE_CLUSTERS": str(listed)},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        never_answers.settimeout(120)
        with never_answers.accept()[0]:  # it waits for an answer now
            assert process.poll() is None
            _, said = process.communicate(timeout=60)  # closes its standard input, as a kill of its holder does
    assert b"Interrupted. What is done is kept" in said
    assert process.returncode == 130
