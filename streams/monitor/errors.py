"""What can go wrong in the monitor. Settings are refused with streams.errors.SettingsError.

StreamsError
└── MonitorError
    ├── KafkaUnavailableError    retriable: the broker did not answer, or answered with trouble of its own
    ├── TopicsMissingError       retriable: the outcome topics do not exist (yet)
    ├── NotReadyError            retriable: nothing to serve yet; HTTP 503
    ├── TooManyListenersError    retriable: as many follow /api/events as may; HTTP 503
    ├── ImplausibleRecordError   permanent: an outcome record that no worker sends; skipped and counted
    ├── BadRequestError          permanent: a query parameter makes no sense; HTTP 400
    └── NotFoundError            permanent: no such workflow or SIP line; HTTP 404
"""

from schemas.runtime import exits
from streams.errors import StreamsError


class MonitorError(StreamsError):
    """Base of the monitor's errors."""

    code = "monitor"


class KafkaUnavailableError(MonitorError):
    """The broker is away, frozen or loading."""

    code = "kafka_unavailable"
    retriable = True
    exit_code = exits.UNAVAILABLE


class TopicsMissingError(MonitorError):
    """The worker's output topics have not been created."""

    code = "topics_missing"
    retriable = True
    exit_code = exits.UNAVAILABLE


class NotReadyError(MonitorError):
    """What was asked for is not known yet."""

    code = "not_ready"
    retriable = True


class TooManyListenersError(MonitorError):
    """As many clients follow the events as may."""

    code = "too_many_listeners"
    retriable = True


class ImplausibleRecordError(MonitorError):
    """An outcome record that no worker can have sent; the message quotes nothing of it."""

    code = "implausible"


class BadRequestError(MonitorError):
    """A query parameter that cannot be understood."""

    code = "bad_request"


class NotFoundError(MonitorError):
    """A workflow or SIP line that no window speaks of."""

    code = "not_found"
