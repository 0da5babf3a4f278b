"""Records of what was set aside with a reason: requests in the quarantine, and dead letters."""

from msgspec import field

from schemas.records.record import Record


class QuarantinedRequest(Record, frozen=True, kw_only=True):
    """A request that was not published, kept for replay."""

    event_id: str
    received_at: int = 0
    reason: str = "unknown"
    detail: str = ""
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    remote_address: str = ""


class KeptHeader(Record, frozen=True, kw_only=True):
    """One header of a record."""

    name: str
    value: bytes | None = None


DEAD_LETTER_REASONS = ("undecodable", "unknown_schema", "invalid", "too_large", "refused")  # as its schema says


class DeadLetter(Record, frozen=True, kw_only=True):
    """A record that could not be processed, kept as it was, with its origin and the reason."""

    source_topic: str
    source_partition: int
    source_offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes] = field(default_factory=dict)
    reason: str = "unknown"
    detail: str = ""
    failed_at: int = 0
    is_cut: bool = False
    key_bytes: int = 0
    key_sha256: str = ""
    value_bytes: int = 0
    value_sha256: str = ""
    headers_count: int = 0
    all_headers: list[KeptHeader] = field(default_factory=list)
