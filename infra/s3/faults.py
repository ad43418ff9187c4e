"""What goes wrong on the way to S3: which faults pass, how long to wait for that, and what to tell the user."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from sluice.infra.logins import without_logins
from sluice.infra.storage import MissingBucket, MissingFile, NoSpace, PermissionDenied, StorageError, Unreachable

Fault = ClientError | BotoCoreError | ResponseParserError

PASSING = {"BadDigest", "IncompleteBody", "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable"}
PASSING |= {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "XAmzContentSHA256Mismatch"}
FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "507"}
REFUSED = {"403", "401", "AccessDenied", "AllAccessDisabled", "Forbidden", "Unauthorized"}
STRANGERS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
STRANGERS |= {"AuthorizationHeaderMalformed", "TokenRefreshRequired"}
PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObjects": "s3:DeleteObject",
}
"""What each request needs, as policies name it."""


@dataclass(frozen=True)
class Retry:
    """How often an operation is tried in all, and the waits between: doubling from `first_s` up to `longest_s`."""

    attempts: int = 10
    first_s: float = 0.1
    longest_s: float = 20.0

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after this attempt (from 1). Half of it is random, so that workers do not return at once."""
        return min(self.longest_s, self.first_s * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)

    @classmethod
    def from_environment(cls) -> Retry:
        """The default rule, with the number of attempts taken from SLUICE_S3_ATTEMPTS."""
        return cls(attempts=int(positive("SLUICE_S3_ATTEMPTS", cls.attempts)))


def positive(variable: str, default: float) -> float:
    """An environment variable's number, at least 1; StorageError names the variable if it is something else."""
    text = os.environ.get(variable, str(default))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number >= 1:
        raise StorageError(f"{variable} is '{text}': set it to a number of at least 1, or unset it for {default:g}.")
    return number


def code_of(fault: Fault) -> str:
    """S3's name of an error, such as NoSuchKey; empty for faults of the network."""
    return str(fault.response.get("Error", {}).get("Code", "")) if isinstance(fault, ClientError) else ""


def passes(fault: Fault) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(fault, ClientError):
        status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = code_of(fault)
        return code in PASSING or (code not in FULL and (status in (408, 429) or (status >= 500 and status != 501)))
    if isinstance(fault, SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in str(fault)
    return isinstance(
        fault, HTTPClientError | ConnectionError | IncompleteReadError | ResponseParserError | CredentialRetrievalError
    )


def explain(fault: Fault, uri: str, action: str, bucket: str, endpoint: str, attempts: int) -> StorageError:
    """The error to raise when `action` (read, write, ...) on `uri` is given up after so many attempts."""
    code = code_of(fault)
    if code == "NoSuchBucket":
        return MissingBucket(
            f"Could not {action} {uri}: there is no bucket '{bucket}' at {endpoint}. Create it, or correct the URI or "
            "the endpoint (AWS_ENDPOINT_URL)."
        )
    if code in ("NoSuchKey", "404"):
        return MissingFile(f"{uri} does not exist.")
    if code in FULL:
        return NoSpace(
            f"Could not {action} {uri}: {endpoint} has no space left ({code}). Nothing half-written is left; free some "
            "space or choose another output, and run the same command again: it resumes."
        )
    if isinstance(fault, NoCredentialsError | PartialCredentialsError):
        return PermissionDenied(
            f"Could not {action} {uri}: no complete credentials were found. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile of ~/.aws, for every worker too."
        )
    if code in STRANGERS:
        return PermissionDenied(
            f"Could not {action} {uri}: {endpoint} does not accept these credentials ({_said(fault)}). Check "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_DEFAULT_REGION, and this machine's "
            "clock."
        )
    if code in REFUSED and isinstance(fault, ClientError):
        return PermissionDenied(
            f"Could not {action} {uri}: {endpoint} refuses it to these credentials ({_said(fault)}). Check the keys, "
            f"and ask the bucket's owner for {_permission(fault)}; infra/aws/s3-policy.json has all that Sluice needs."
        )
    return _explain_rest(fault, uri, action, endpoint, attempts)


def _explain_rest(fault: Fault, uri: str, action: str, endpoint: str, attempts: int) -> StorageError:
    times = "once" if attempts == 1 else f"{attempts} times"
    if isinstance(fault, ConnectionError) and not isinstance(fault, SSLError):
        return Unreachable(
            f"Could not {action} {uri}: {endpoint} cannot be reached (tried {times}; {_said(fault)}). Check that the "
            "server runs, the network, and AWS_ENDPOINT_URL."
        )
    if isinstance(fault, ParamValidationError):
        return StorageError(f"Could not {action} {uri}: S3 does not allow this name. {_said(fault)}.")
    advice = (
        "Run the same command again: it resumes. Where the service stays overloaded, use fewer workers or raise "
        "SLUICE_S3_ATTEMPTS."
        if passes(fault)
        else "Check the URI and the endpoint's settings (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION)."
    )
    kind = Unreachable if passes(fault) else StorageError
    return kind(f"Could not {action} {uri} at {endpoint}, tried {times}: {_said(fault)}. {advice}")


def _permission(fault: ClientError) -> str:
    """What these credentials lack, most likely."""
    needed = PERMISSIONS[fault.operation_name]
    return f"{needed} and s3:ListBucket (without which a missing file looks the same)" if "Get" in needed else needed


def _said(fault: Fault) -> str:
    """What the server or the network said, in one line."""
    if isinstance(fault, ClientError):
        error = fault.response.get("Error", {})
        return f"{error.get('Code', 'no code')}: {error.get('Message') or 'no message'}".rstrip(".")
    return " ".join(without_logins(str(fault)).split()).rstrip(".")  # a proxy's URL may hold one
