"""What can go wrong in the streams.

StreamsError
+-- ImpossibleCallbackError  permanent: a callback that no gateway can have written; dead letter
+-- InvalidChangeError       permanent: a window change that no callback can have led to; dead letter
+-- TooLargeError            permanent: a record over a bound of streams/rules/bounds.py; dead letter
+-- UnprocessableError       permanent: a record of the worker's with the reason of its dead letter
+-- RevokedError             not a failure: the runs in hand were revoked, and will be read again
+-- LostRunError             fatal: a run did not reach its agent; exit code 70
+-- WorkerCrashedError       fatal: Faust gave up; exit code 70
+-- WorkerPausedError        fatal: the process stood still for longer than its group waits; exit code 70
+-- NewerFormatError         fatal: a row that a later release wrote; becomes a StateError
+-- StateError               fatal: a row of the worker's own tables cannot be read; exit code 70
+-- TopicsError              fatal: a topic is missing or not as declared; exit code 69
+-- SchemasError             fatal: the registry lacks our schemas, or has others in their place; exit code 69
+-- BackupError              permanent: a file is no backup of schemas; exit code 1
+-- BrokerUnavailableError   retriable: Kafka did not answer
+-- RegistryAwayError        retriable: the schema registry did not answer
+-- RefusedError             fatal: Kafka lets us in, but we have not the right; exit code 69
+-- DataDirInUseError        fatal: another process holds the data directory; exit code 4
+-- DiskError                fatal: the data directory cannot be used; exit code 6
"""

from typing import ClassVar

from schemas.runtime import exits


class StreamsError(Exception):
    """Base of this package's errors. `code` is stable, `exit_code` what a command ends with."""

    code: ClassVar[str] = "streams"
    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = exits.INTERNAL


class ImpossibleCallbackError(StreamsError):
    """A decoded callback that breaks a promise of the gateway, such as an empty call_id."""

    code = "invalid"


class InvalidChangeError(StreamsError):
    """A decoded window change that breaks a promise of the agent of callbacks."""

    code = "invalid"


class TooLargeError(StreamsError):
    """A record that is over a bound, or leads to more than one record may."""

    code = "too_large"


class UnprocessableError(StreamsError):
    """A record that no second try can process. `reason` is of the closed set of DeadLetter."""

    code = "unprocessable"

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class RevokedError(StreamsError):
    """The runs in hand were revoked: all of them will be read again, perhaps by another worker."""

    code = "revoked"


class LostRunError(StreamsError):
    """A run that was delivered never reached the agent: going on would change the order, so the process must end."""

    code = "lost_run"


class WorkerCrashedError(StreamsError):
    """Faust gave up. Nothing that was not settled is committed; start again."""

    code = "crashed"


class WorkerPausedError(StreamsError):
    """The process stood still for longer than its group may wait for it."""

    code = "paused"


class NewerFormatError(StreamsError):
    """A row whose format this release does not know."""

    code = "newer_format"


class StateError(StreamsError):
    """A row of the worker's own tables that cannot be read: going on would count wrongly. The message has a remedy."""

    code = "state"
    exit_code = 70  # EX_SOFTWARE


class TopicsError(StreamsError):
    """Topics that are missing or not as declared; the message names each."""

    code = "topics"
    exit_code = exits.UNAVAILABLE


class SchemasError(StreamsError):
    """The registry lacks our schemas, or has foreign ones beside them; the message names each subject."""

    code = "schemas"
    exit_code = exits.UNAVAILABLE


class BackupError(StreamsError):
    """A file that `schemas export` did not write, or that was changed; the message names file and place."""

    code = "backup"
    exit_code = exits.NO


class BrokerUnavailableError(StreamsError):
    """Kafka did not answer in time."""

    code = "broker_unavailable"
    retriable = True
    exit_code = exits.UNAVAILABLE


class RegistryAwayError(StreamsError):
    """The schema registry did not answer, so nothing can be read."""

    code = "registry_unavailable"
    retriable = True
    exit_code = exits.UNAVAILABLE


class RefusedError(StreamsError):
    """Kafka lets us in, but a right is missing; the message names right, resource and principal."""

    code = "refused"
    exit_code = exits.UNAVAILABLE


class DataDirInUseError(StreamsError):
    """Another process holds the data directory."""

    code = "data_dir_in_use"
    exit_code = exits.DATA_IN_USE


class DiskError(StreamsError):
    """The data directory cannot be made, read or written."""

    code = "disk"
    exit_code = exits.DISK
