"""What runs count, for whoever asks: records, bytes, failures and seconds by stage, and how a training goes."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RECORDS = Counter("sluice_records", "Records, or pictures, that a stage has done.", ["stage"])
BYTES = Counter("sluice_bytes", "Bytes that a stage has written.", ["stage"])
UNITS = Counter("sluice_units", "Units of work that a stage has done.", ["stage"])
SECONDS = Counter("sluice_seconds", "Seconds that workers were busy with a stage.", ["stage"])
GPU_SECONDS = Counter("sluice_gpu_seconds", "The same, by the GPUs that each of them holds.", ["stage"])
BUSY = Gauge("sluice_busy_workers", "Workers that are busy with a stage now.", ["stage"])
FAILURES = Counter(
    "sluice_failures",
    "What a stage failed at: a record `quarantined` or `filtered`, a unit that `raised`, a worker that `died`, a "
    "node that was `lost` with its worker, a request to storage that was `repeated`.",
    ["stage", "kind"],
)
TRAINING = Gauge("sluice_training", "The last figures of a training's log, by their names there.", ["figure"])
RUN = Gauge("sluice_run_started", "When this run began, in seconds since 1970.", ["run", "command"])
