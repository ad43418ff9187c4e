"""Big files to S3: parts of bounded size, each verified, and nothing left behind when it fails."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sluice.infra.s3.connection import Connection
from sluice.infra.s3.faults import code_of
from sluice.infra.storage import StorageError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        ListMultipartUploadsOutputTypeDef,
        ListMultipartUploadsRequestTypeDef,
    )

PART = 16 << 20
MOST_PARTS = 10_000
TOKEN = "sluice-write"


def md5(data: bytes) -> str:
    """The Content-MD5 of a body, by which the server notices damage on the way."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def token_of(reply: Any) -> str | None:
    """The token an object was written with, from the reply to HEAD; some servers change the case of metadata."""
    return next((value for name, value in reply["Metadata"].items() if name.lower() == TOKEN), None)


class Multipart:
    """One object that is put in parts, then assembled by the server."""

    def __init__(self, connection: Connection, key: str, uri: str, token: str) -> None:
        self.connection, self.uri, self.token = connection, uri, token
        self.bucket, self.key = connection.bucket, key

    def put(self, local: Path, size: int) -> None:
        """Put a file of `size` bytes; on any failure the parts are taken away again."""
        begun = self.connection.call(
            "write",
            self.uri,
            lambda s3: s3.create_multipart_upload(Bucket=self.bucket, Key=self.key, Metadata={TOKEN: self.token}),
        )
        upload = begun["UploadId"]
        try:
            self._complete(upload, self._put_parts(upload, local, size))
        except BaseException:
            with suppress(StorageError):
                abort(self.connection, self.key, upload, self.uri)
            raise

    def _put_parts(self, upload: str, local: Path, size: int) -> list[CompletedPartTypeDef]:
        length = max(PART, -(-size // MOST_PARTS))
        parts: list[CompletedPartTypeDef] = []
        with open(local, "rb") as source:
            while data := source.read(length):
                parts.append(self._put_part(upload, len(parts) + 1, data))
            if source.tell() != size:
                raise StorageError(f"{local} changed while it was copied to {self.uri}. Run it again.")
        return parts

    def _put_part(self, upload: str, number: int, data: bytes) -> CompletedPartTypeDef:
        reply = self.connection.call(
            "write",
            self.uri,
            lambda s3: s3.upload_part(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=upload,
                PartNumber=number,
                Body=data,
                ContentMD5=md5(data),
            ),
        )
        return {"ETag": reply["ETag"], "PartNumber": number}

    def _complete(self, upload: str, parts: Sequence[CompletedPartTypeDef]) -> None:
        def complete(s3: S3Client) -> None:
            try:
                s3.complete_multipart_upload(
                    Bucket=self.bucket, Key=self.key, UploadId=upload, MultipartUpload={"Parts": parts}
                )
            except ClientError as error:
                # The attempt before may have done it, and its answer been lost.
                if code_of(error) != "NoSuchUpload" or not self._is_there(s3):
                    raise

        self.connection.call("write", self.uri, complete)

    def _is_there(self, s3: S3Client) -> bool:
        return token_of(s3.head_object(Bucket=self.bucket, Key=self.key)) == self.token


def abort(connection: Connection, key: str, upload: str, uri: str) -> None:
    """Take the parts of an upload away; one that is not there is no error."""

    def request(s3: S3Client) -> None:
        try:
            s3.abort_multipart_upload(Bucket=connection.bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise

    connection.call("clean up", uri, request)


def sweep(connection: Connection, prefix: str, uri: str, older_than_s: float) -> int:
    """Abort the uploads under `prefix` begun longer ago than this; answers how many."""

    def listed(s3: S3Client) -> ListMultipartUploadsOutputTypeDef | None:
        try:
            return s3.list_multipart_uploads(**request)
        except ClientError as error:
            if code_of(error) == "NoSuchUpload":  # so rclone says that a bucket never had any
                return None
            raise

    request: ListMultipartUploadsRequestTypeDef = {"Bucket": connection.bucket, "Prefix": prefix}
    swept = 0
    while page := connection.call("list", uri, listed):
        for upload in page.get("Uploads", []):
            if time.time() - upload["Initiated"].timestamp() > older_than_s:
                abort(connection, upload["Key"], upload["UploadId"], uri)
                swept += 1
        if not page.get("IsTruncated"):
            break
        request["KeyMarker"], request["UploadIdMarker"] = page["NextKeyMarker"], page["NextUploadIdMarker"]
    return swept
