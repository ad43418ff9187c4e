"""Failures of a timetable's runs: an automation of the Prefect server posts them to a URL."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect import get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from sluice.flows.schedule.flow import RUN_FAILED
from sluice.infra.private import read_private
from sluice.infra.settings import ConfigError

FAILED = {RUN_FAILED, "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}


def webhook(file: Path) -> str:
    """The URL in a file. It is a secret: whoever has it may write there. Raises ConfigError."""
    remedy = "it must hold the URL, https://..., that failures are posted to"
    url = read_private(file, "which `notify:` names", remedy)
    if not url.startswith(("https://", "http://")):
        raise ConfigError(f"notify: {file}: {remedy}")
    return url


def notify(tag: str, url: str | None) -> None:
    """Have failures of runs of this tag posted to a URL as `{"text": ...}`, and to no other; with None to nobody."""
    with get_client(sync_client=True) as client:
        for old in client.read_automations_by_name(tag):
            client.delete_automation(old.id)
        if url is not None:
            client.create_automation(_automation(tag, url))
            return
        kind = CustomWebhookNotificationBlock.get_block_type_slug()
        with suppress(ObjectNotFound):
            client.delete_block_document(client.read_block_document_by_name(tag, kind).id)


def _automation(tag: str, url: str) -> AutomationCore:
    block = CustomWebhookNotificationBlock.model_validate(
        {"name": tag, "url": url, "json_data": {"text": "{{subject}}\n{{body}}"}}
    )
    block_id: Any = block.save(tag, overwrite=True)
    return AutomationCore(
        name=tag,
        description="Tells of runs of Sluice that failed.",
        trigger=EventTrigger(
            expect=FAILED,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            SendNotification(
                block_document_id=block_id,
                subject="Sluice: {{ flow_run.name }} {{ flow_run.state.name | lower }}",
                body="{{ flow_run.state.message }}",
            )
        ],
    )
