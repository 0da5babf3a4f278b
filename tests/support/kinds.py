"""Every webhook at a path of its own, and a delivery for each."""

from __future__ import annotations

from typing import Any

from gateway.webhooks.kinds import EVENTS, KINDS, Kind, kind_at
from tests.support.deliveries import CHATBOT_SESSION, DIALER_STATUS, EVENT, EXAMPLE, STATUS_CHANGE


def events_of(name: str) -> Kind[Any]:
    """The webhook of the events of this name."""
    kind = kind_at(EVENTS.route.replace("{name}", name))
    assert kind is not None
    return kind


SERVED: tuple[Kind[Any], ...] = tuple(events_of("waba-message-status") if kind is EVENTS else kind for kind in KINDS)
SAMPLES: dict[str, Any] = dict(
    zip(
        (kind.name for kind in SERVED),
        (EXAMPLE, STATUS_CHANGE, CHATBOT_SESSION, DIALER_STATUS, EVENT),
        strict=True,
    )
)
