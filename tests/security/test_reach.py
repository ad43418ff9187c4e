"""URLs and commands in the data: sources read what lies under their own place, and ask nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.preprocess.planning.config import DatasetConfig, make_source
from sluice.preprocess.sources import SourceError

KINDS = ("folder", "webdataset", "coco_stuff", "pick_a_pic", "multigen")
PLACES = (
    "http://169.254.169.254/latest/meta-data",
    "https://example.org/pictures",
    "http://10.0.0.1/a",
    "file:///etc",
    "ftp://127.0.0.1/a",
    "hdfs://host/a",
)

# Everything that Python does is told to the hook: who looks a name up, connects or starts a program is seen.
SCRIPT = """
import io, json, sys, tarfile
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sluice.preprocess.planning.config import DatasetConfig, make_source
from sluice.preprocess.planning.index import scan
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.record import Record, encode_json
from sluice.preprocess.stages.image import Image as ImageStage, ImageParameters

folder, url = Path(sys.argv[1]), "http://169.254.169.254/latest/meta-data"
stream = io.BytesIO()
Image.new("RGB", (64, 64), "red").save(stream, "JPEG", comment=url.encode())
picture, about = stream.getvalue(), json.dumps({"url": url, "image": url, "caption": url, "$ref": url}).encode()

(folder / "pictures").mkdir()
(folder / "pictures/a.jpg").write_bytes(picture)
(folder / "pictures/a.json").write_bytes(about)
(folder / "pictures/b.jpg").write_bytes(f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode())
(folder / "tars").mkdir()
with tarfile.open(folder / "tars/0.tar", "w") as tar:
    for name, data in (("a.jpg", picture), ("a.json", about), (f"{url}/b.jpg", picture), ("pipe:id|cat.jpg", picture)):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
(folder / "pairs").mkdir()
image = [{"bytes": None, "path": url}, {"bytes": picture, "path": url}]
pq.write_table(
    pa.table({"jpg_0": image, "jpg_1": image, "label_0": [1.0, 1.0], "label_1": [0.0, 0.0], "caption": [url, url]}),
    folder / "pairs/train-0.parquet",
)
for place in ("images", "conditions", "json_files"):
    (folder / "multi" / place).mkdir(parents=True)
(folder / "multi/images/a.jpg").write_bytes(picture)
lines = [{"source": "a.jpg", "prompt": url, "control_hed": url, "control_depth": "file:///etc/passwd"}]
(folder / "multi/json_files/hed.json").write_text("\\n".join(map(json.dumps, lines)))

asked = []
sys.addaudithook(lambda event, given: asked.append((event, given)) if event in EVENTS else None)
EVENTS = {"socket.connect", "socket.getaddrinfo", "urllib.Request", "subprocess.Popen", "os.system", "os.exec"}

for kind, place in (("folder", "pictures"), ("webdataset", "tars"), ("pick_a_pic", "pairs"), ("multigen", "multi")):
    plain = {"kind": kind, "uri": str(folder / place)}
    source = make_source(DatasetConfig.model_validate({"name": "a", "source": plain, "out": "out", "stages": {}}))
    read = 0
    for raw in source.scan([*source.items()]):
        if raw.error is None:
            key = "00000000000000aa"
            about = encode_json({**json.loads(raw.fields["raw.json"]), "sha256": key})
            record = Record(key, encoded={"raw": raw.fields["raw"], "raw.json": about})
            ImageStage(ImageParameters(min_side=16, size=64))([record])
            read += record.rejection is None
    print(kind, read)
print(asked)
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_source_is_a_folder_or_a_bucket_and_nothing_else(kind: str, place: str) -> None:
    plain = {"name": "a", "source": {"kind": kind, "uri": place}, "out": "out", "stages": {}}
    with pytest.raises(SourceError, match="is not a place Sluice can read or write"):
        list(make_source(DatasetConfig.model_validate(plain)).items())


def test_urls_in_the_data_are_text(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["folder 1", "webdataset 3", "pick_a_pic 1", "multigen 1", "[]"]
