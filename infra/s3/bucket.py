"""S3 as a storage, through boto3 alone: bounded memory, verified writes, no conditional ones."""

from __future__ import annotations

import hashlib
import io
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from botocore.exceptions import ClientError, IncompleteReadError

from sluice.infra.s3.connection import Connection
from sluice.infra.s3.faults import Retry, code_of, passes, positive
from sluice.infra.s3.multipart import TOKEN, Multipart, md5, sweep, token_of
from sluice.infra.storage import Entry, MissingFile, StorageError, checked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectRequestTypeDef, ListObjectsV2OutputTypeDef, ObjectIdentifierTypeDef

T = TypeVar("T")

MULTIPART_ABOVE = 32 << 20
READ_AHEAD = 8 << 20
DELETE_BATCH = 1000


class S3Storage:
    """Files under `s3://bucket/prefix`; credentials, region and endpoint are boto3's usual settings.

    `retry` and `timeout_s` (to connect, and between two bytes) default to SLUICE_S3_ATTEMPTS and SLUICE_S3_TIMEOUT_S.
    """

    def __init__(
        self, bucket: str, prefix: str = "", retry: Retry | None = None, timeout_s: float | None = None
    ) -> None:
        self.bucket, self.prefix = bucket, prefix.strip("/")
        self._within = f"{self.prefix}/" if self.prefix else ""
        if self.prefix:
            checked(self.prefix, f"s3://{bucket}")
        self._connection = Connection(
            bucket, retry or Retry.from_environment(), timeout_s or positive("SLUICE_S3_TIMEOUT_S", 60)
        )

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def retries(self) -> int:
        return self._connection.retries

    def read(self, path: str) -> bytes:
        return self._get(path)

    def read_range(self, path: str, start: int, length: int) -> bytes:
        return self._get(path, (start, max(length, 1)))[:length]  # S3 has no empty range

    def write(self, path: str, data: bytes) -> None:
        key, token = self._key(path), uuid.uuid4().hex
        self._call(
            "write",
            path,
            lambda s3: s3.put_object(
                Bucket=self.bucket, Key=key, Body=data, ContentMD5=md5(data), Metadata={TOKEN: token}
            ),
        )
        self._verify(path, len(data), token)

    def upload(self, path: str, local: Path) -> None:
        try:
            size = local.stat().st_size
            if size <= MULTIPART_ABOVE:
                self.write(path, local.read_bytes())
                return
            token = uuid.uuid4().hex
            Multipart(self._connection, self._key(path), self._name(path), token).put(local, size)
            self._verify(path, size, token)
        except FileNotFoundError as error:
            raise MissingFile(f"{local}, to be copied to {self._name(path)}, does not exist.") from error

    def fetch(self, path: str, folder: Path) -> Path:
        copy = folder / hashlib.sha256(self._name(path).encode()).hexdigest()[:16]
        with self.open(path) as source, copy.open("wb") as file:
            shutil.copyfileobj(source, file, READ_AHEAD)
        return copy

    def open(self, path: str) -> BinaryIO:
        entry = self.head(path)
        if entry is None:
            raise MissingFile(f"{self._name(path)} does not exist.")
        return io.BufferedReader(_Ranges(self, entry), READ_AHEAD)

    def head(self, path: str) -> Entry | None:
        key = self._key(path)
        try:
            reply = self._call("examine", path, lambda s3: s3.head_object(Bucket=self.bucket, Key=key))
        except MissingFile:
            if not self._connection.bucket_seen:  # a missing bucket looks the same here
                # Not by HeadBucket, which who may list under a prefix alone is refused.
                next(self._pages(path, {"Prefix": self._within, "MaxKeys": 1}))
            return None
        return Entry(path, reply["ContentLength"], _stamp(reply["ETag"]), reply["LastModified"].timestamp())

    def list(self, prefix: str = "") -> Iterator[Entry]:
        for page in self._pages(prefix, {"Prefix": self._key(prefix) if prefix else self._within}):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # consoles mark folders so
                    path, modified = item["Key"].removeprefix(self._within), item["LastModified"].timestamp()
                    yield Entry(path, item["Size"], _stamp(item["ETag"]), modified)

    def folders(self, prefix: str = "") -> Iterator[str]:
        above = f"{self._key(prefix)}/" if prefix else self._within
        for page in self._pages(prefix, {"Prefix": above, "Delimiter": "/"}):
            for found in page.get("CommonPrefixes", []):
                yield found["Prefix"].removeprefix(above).rstrip("/")

    def delete(self, paths: Iterable[str]) -> None:
        keys = (self._key(path) for path in paths)
        while batch := {*islice(keys, DELETE_BATCH)}:
            self._delete_batch(batch)

    def sweep(self, older_than_s: float) -> int:
        return sweep(self._connection, self._within, self.uri, older_than_s)

    def _key(self, path: str) -> str:
        return self._within + checked(path, self.uri)

    def _name(self, path: str) -> str:
        return f"s3://{self.bucket}/{self._within}{path}"

    def _call(self, action: str, path: str, request: Callable[[S3Client], T]) -> T:
        return self._connection.call(action, self._name(path), request)

    def _pages(self, prefix: str, asked: Mapping[str, Any]) -> Iterator[ListObjectsV2OutputTypeDef]:
        request: dict[str, Any] = {"Bucket": self.bucket, **asked}
        while True:
            page = self._call("list", prefix, lambda s3: s3.list_objects_v2(**request))
            yield page
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _get(self, path: str, span: tuple[int, int] | None = None, stamp: str = "") -> bytes:
        """The file, or (start, length) of it; `stamp` is what it must still be."""
        wanted: GetObjectRequestTypeDef = {"Bucket": self.bucket, "Key": self._key(path)}
        if span:
            wanted["Range"] = f"bytes={span[0]}-{span[0] + span[1] - 1}"

        def get(s3: S3Client) -> bytes:
            try:
                reply = s3.get_object(**wanted)
            except ClientError as error:
                if code_of(error) == "InvalidRange":  # it begins beyond the end
                    return b""
                raise
            if span and "ContentRange" not in reply:
                raise StorageError(
                    f"{self._name(path)}: this server does not serve ranges of bytes, which S3 requires."
                )
            if stamp and stamp != _stamp(reply["ETag"]):
                raise StorageError(f"{self._name(path)} was replaced while it was being read. Run it again.")
            with closing(reply["Body"]) as body:
                data = body.read()
            if len(data) != reply["ContentLength"]:
                raise IncompleteReadError(actual_bytes=len(data), expected_bytes=reply["ContentLength"])
            return data

        return self._call("read", path, get)

    def _delete_batch(self, keys: set[str]) -> None:
        def delete(s3: S3Client) -> None:
            wanted: Sequence[ObjectIdentifierTypeDef] = [{"Key": key} for key in sorted(keys)]
            reply = s3.delete_objects(Bucket=self.bucket, Delete={"Objects": wanted, "Quiet": True})
            errors = {error["Key"]: error for error in reply.get("Errors", [])}
            keys.intersection_update(errors)
            faults = [ClientError({"Error": {"Code": e["Code"]}}, "DeleteObjects") for e in errors.values()]
            if faults:
                raise min(faults, key=passes)  # rather one that does not pass by itself

        first = min(keys).removeprefix(self._within)
        self._call("delete", first if len(keys) == 1 else f"{first} and {len(keys) - 1} more", delete)

    def _verify(self, path: str, size: int, token: str) -> None:
        """Look at what was written, unless another writer has replaced it meanwhile."""
        key = self._key(path)
        reply = self._call("verify", path, lambda s3: s3.head_object(Bucket=self.bucket, Key=key))
        if token_of(reply) == token and reply["ContentLength"] != size:
            raise StorageError(
                f"{self._name(path)} was written with {size} bytes, but the server shows {reply['ContentLength']}. "
                "Do not trust this server's storage; delete the file and run it again elsewhere."
            )


class _Ranges(io.RawIOBase):
    """A file of S3 as a raw stream: every read is a ranged request of at most READ_AHEAD bytes."""

    def __init__(self, storage: S3Storage, entry: Entry) -> None:
        self._storage, self._entry, self._position = storage, entry, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._entry.size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset} in {self._entry.path}")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        length = min(len(view), READ_AHEAD, self._entry.size - self._position)
        if length <= 0:
            return 0
        data = self._storage._get(self._entry.path, (self._position, length), self._entry.stamp)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        pieces = iter(lambda: self.read(READ_AHEAD), b"")
        return b"".join(piece or b"" for piece in pieces)


def _stamp(etag: str) -> str:
    return etag.strip('"')
