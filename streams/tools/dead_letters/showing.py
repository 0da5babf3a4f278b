"""`python -m streams dead-letters show`: one letter whole, with personal data only where it is asked for."""

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from schemas.documents.headers import HEADERS
from schemas.errors import DecodeError
from schemas.headers import rfc3339
from schemas.records.kept import DeadLetter
from schemas.runtime import exits
from schemas.topic_names import TopicNames
from schemas.topics import BY_NAME, BY_SHORT_NAME
from streams import output
from streams.output import without_controls
from streams.tools.dead_letters.letters import LetterFilter, origin_of
from streams.tools.dead_letters.printing import open_letters
from streams.topics.decoding import Decoder, Plain, text_of
from streams.topics.masking import MASK, masked

OURS = frozenset(header.name for header in HEADERS)


class Value(NamedTuple):
    """What a record holds. plain: None where it cannot be read, and `fault` says why."""

    plain: Plain | None
    fault: str


async def print_letter(environ: Mapping[str, str], place: str, *, reveal: bool, as_json: bool) -> int:
    """Print the last letter of the record at `place`. Exit code 0, or 1 where there is none.

    Raises: SettingsError, TopicsError, RefusedError, BrokerUnavailableError, RegistryAwayError.
    """
    async with open_letters(environ, LetterFilter()) as opened:
        names = opened.settings.kafka.names
        wanted = real_place(place, names)
        letters = [one async for one in opened.letters.find(LetterFilter()) if str(origin_of(one)) == wanted]
        if not letters:
            output.console(stderr=True).print(
                f"no dead letter was read at {wanted}; `dead-letters list` has all", markup=False, highlight=False
            )
            return exits.NO
        value = await _value(letters[-1], names, Decoder(opened.registry), reveal=reveal)
    found = letter_view(letters[-1], value, reveal=reveal) | {"letters": len(letters)}
    text = json.dumps(found) if as_json else as_lines(found)
    output.console().print(text, markup=False, highlight=False, soft_wrap=True)
    return 0


def real_place(place: str, names: TopicNames) -> str:
    """The place with the topic's real name, whichever of its names was typed."""
    topic, bracket, rest = place.partition("[")
    declared = BY_SHORT_NAME.get(topic) or BY_NAME.get(topic)
    return f"{names.of(declared) if declared else topic}{bracket}{rest}"


async def _value(letter: DeadLetter, names: TopicNames, decoder: Decoder, *, reveal: bool) -> Value:
    topic = names.topic(letter.source_topic)
    if letter.value is None or letter.is_cut:
        return Value(None, "it has no value" if letter.value is None else "it is cut")
    try:
        plain = await decoder.values_of(letter.value)
    except DecodeError as error:
        return Value(None, str(error))
    return Value(plain if reveal or topic is None else masked(plain, topic.record), "")


def letter_view(letter: DeadLetter, value: Value, *, reveal: bool) -> Plain:
    """The letter by the names of its fields. What may be personal is masked unless `reveal`."""
    headers = [(header.name, header.value) for header in letter.all_headers] or list(letter.headers.items())
    data = letter.value or b""
    found: Plain = {
        "record": str(origin_of(letter)),
        "failed_at": rfc3339(letter.failed_at),
        "reason": letter.reason,
        "detail": letter.detail,
        "key": text_of(letter.key) if reveal or letter.key is None else MASK,
        "headers": {name: text_of(one) if reveal or name in OURS else MASK for name, one in headers},
        "value_bytes": letter.value_bytes or len(data),
        "value_sha256": letter.value_sha256 or sha256(data).hexdigest(),
        "value": value.plain,
    }
    if value.fault:
        found["value_fault"] = value.fault
        found |= {"value_base64": base64.b64encode(data).decode()} if reveal else {}
    return found


def as_lines(found: Plain) -> str:
    """The letter as lines of a name and a value; what it holds as indented JSON."""
    return "\n".join(f"{name:<13} {_text(value)}" for name, value in found.items() if value is not None)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, indent=2)
    return without_controls(str(value))
