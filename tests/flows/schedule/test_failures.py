"""The file with the URL that failures are posted to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.schedule.failures import webhook
from sluice.infra.settings import ConfigError


@pytest.mark.parametrize(
    ("mode", "text", "said"), [(0o640, "https://x", "chmod 600"), (0o600, "x", "must hold the URL")]
)
def test_a_url_is_kept_like_a_token(tmp_path: Path, mode: int, text: str, said: str) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=said):
        webhook(file)
    with pytest.raises(ConfigError, match=r"gone, which `notify:` names, could not be read"):
        webhook(tmp_path / "gone")
