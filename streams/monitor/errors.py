"""What can go wrong in the monitor. An absent Kafka is a BrokerUnavailableError.

StreamsError
+-- MonitorError
    +-- TopicsMissingError       retriable: the outcome topics do not exist (yet)
    +-- NotReadyError            retriable: nothing to serve yet
    +-- TooManyListenersError    retriable: /api/events has as many listeners as it may
    +-- TooManyReadsError        retriable: records are being read for others
    +-- ImplausibleRecordError   permanent: an outcome record that no worker sends; skipped and counted
    +-- BadParameterError        permanent: a query parameter makes no sense
    +-- NotFoundError            permanent: no such workflow, SIP line, topic or partition
    +-- RecordsHiddenError       permanent: this monitor shows no single records
    +-- UnsignedProbeError       permanent: no key can sign a probe now
"""

from streams.errors import StreamsError


class MonitorError(StreamsError):
    """Base of the monitor's errors. Over HTTP a retriable one is 503; `problems.py` has the status of the others."""

    code = "monitor"


class TopicsMissingError(MonitorError):
    """The worker's output topics have not been created."""

    code = "topics_missing"
    retriable = True


class NotReadyError(MonitorError):
    """The answer is not known yet."""

    code = "not_ready"
    retriable = True


class TooManyListenersError(MonitorError):
    """/api/events has as many listeners as it may."""

    code = "too_many_listeners"
    retriable = True


class TooManyReadsError(MonitorError):
    """Records of a range are read for one request at a time, and enough others wait."""

    code = "too_many_reads"
    retriable = True


class ImplausibleRecordError(MonitorError):
    """An outcome record that no worker can have sent. The message quotes nothing of it."""

    code = "implausible"


class BadParameterError(MonitorError):
    """A query parameter that cannot be understood."""

    code = "bad_request"


class NotFoundError(MonitorError):
    """A workflow or SIP line without windows, or a topic or partition that is not there."""

    code = "not_found"


class RecordsHiddenError(MonitorError):
    """This monitor shows no single records. The message says how to turn it on."""

    code = "records_hidden"


class UnsignedProbeError(MonitorError):
    """A probe cannot be signed. The message has no secret."""

    code = "unsigned_probe"
