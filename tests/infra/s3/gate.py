"""A server that asks IAM who may do what, and the policies that Sluice hands out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import httpx

from tests.faults.servers import KEY, SECRET, S3Server

AWS = Path(__file__).parents[3] / "infra" / "aws"
BUCKET = "team"
Policy = dict[str, Any]


def policy_in(name: str) -> Policy:
    policy: Policy = json.loads((AWS / name).read_text())
    return policy


ALL = policy_in("s3-policy.json")
SOURCE = policy_in("s3-source-policy.json")


def actions(policy: Policy) -> list[str]:
    listed = [statement["Action"] for statement in policy["Statement"]]
    return [action for some in listed for action in ([some] if isinstance(some, str) else some)]


class Gate:
    """A server that asks IAM: `allow(policy)` says what the user `sluice` may do, `root` may do everything."""

    def __init__(self, server: S3Server) -> None:
        self.endpoint = server.endpoint
        self._iam = self._client("iam", KEY, SECRET)
        self._client("s3", KEY, SECRET).create_bucket(Bucket=BUCKET)
        self.own, root = self._user("sluice"), self._user("root")
        self.allow({**ALL, "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "root")
        self._iam, self.root = self._client("iam", *root), self._client("s3", *root)
        httpx.post(f"{server.endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()

    def allow(self, policy: Policy, user: str = "sluice") -> None:
        """Raises ClientError for what IAM's grammar does not know."""
        self._iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(policy))

    def files(self) -> dict[str, bytes]:
        found = self.root.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {f["Key"]: self.root.get_object(Bucket=BUCKET, Key=f["Key"])["Body"].read() for f in found}

    def clear(self) -> None:
        for path in self.files():
            self.root.delete_object(Bucket=BUCKET, Key=path)
        for left in self.root.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.root.abort_multipart_upload(Bucket=BUCKET, Key=left["Key"], UploadId=left["UploadId"])

    def _user(self, name: str) -> tuple[str, str]:
        self._iam.create_user(UserName=name)
        made = self._iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def _client(self, service: Any, key: str, secret: str) -> Any:
        return boto3.client(
            service, None, endpoint_url=self.endpoint, aws_access_key_id=key, aws_secret_access_key=secret
        )
