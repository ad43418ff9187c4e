"""A page as HTML, in one file that needs neither network nor script."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from sluice.infra.page.blocks import Page

HERE = Path(__file__).parent


def render(page: Page) -> bytes:
    """The page as UTF-8 HTML. Everything it shows is escaped; what UTF-8 cannot hold is written as its escape code."""
    style = Markup((HERE / "page.css").read_text())  # ours, and a style element does not decode escapes
    return _template().render(page=page, style=style).strip().encode(errors="backslashreplace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _with_code
    return environment.get_template("page.html")


def _with_code(text: str) -> Markup:
    """Text with what stands between `backticks` as code, everything escaped."""
    pieces = re.split(r"`([^`\n]+)`", text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces))
