"""Reads the settings out of an environment, by one rule for all roles. Finds misspelt names.

- An empty or blank value counts as unset. Blanks around a value are dropped, except around a password.
- NAME_FILE names a file whose one line is a password or a user.
- An unknown name under PREFIXES is a fault. So is a name under KAFKA_ that resembles a setting, and a setting in small
  letters (gateway_port). KAFKA_ variables of other software are ignored.
- A variable that Kubernetes or Docker derives from a service's name (GATEWAY_PORT=tcp://10.96.0.1:8000) is ignored.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

PREFIXES: Final = ("AIRUDDER_", "GATEWAY_", "STREAMS_", "MONITOR_", "SCHEMA_REGISTRY_")
KAFKA: Final = "KAFKA_"
FILE: Final = "_FILE"
MAX_SECRET_BYTES: Final = 64 * 1024

# An empty value is a fault here: unset means the public default key.
NEVER_EMPTY: Final = "AIRUDDER_SIGNING_KEYS"

# Every name that starts so under KAFKA_ is taken for a setting, except those that a broker's image reads.
_OUR_FAMILIES: Final = ("BOOTSTRAP", "SASL_", "SSL_", "SECURITY_", "COMPRESSION")
_BROKERS_OWN: Final = re.compile(
    r"SASL_(ENABLED_MECHANISMS|JAAS_CONFIG|KERBEROS_\w+|LOGIN_\w+|CLIENT_CALLBACK_\w+|SERVER_\w+|OAUTHBEARER_\w+"
    r"|MECHANISM_(INTER_BROKER|CONTROLLER)_PROTOCOL)"
    r"|SSL_(KEYSTORE_\w+|TRUSTSTORE_\w+|KEY_(PASSWORD|CREDENTIALS)|CLIENT_AUTH|PROTOCOL|PROVIDER|CIPHER_SUITES"
    r"|ENABLED_PROTOCOLS|ENDPOINT_\w+|ENGINE_\w+|KEYMANAGER_\w+|TRUSTMANAGER_\w+|SECURE_RANDOM_\w+|PRINCIPAL_\w+"
    r"|ALLOW_\w+)"
    r"|SECURITY_(INTER_BROKER_PROTOCOL|PROVIDERS)"
    r"|COMPRESSION_(GZIP|LZ4|ZSTD)_LEVEL"
)
_ALIKE: Final = 0.7  # similar enough for "did you mean"
_NEAR: Final = 0.92
_CLOSE: Final = 0.88  # BOOTSRAP_SERVERS scores 0.97; other software's REST_BOOTSTRAP_SERVERS scores 0.87

_MADE: Final = re.compile(
    r"(?P<service>.+?)_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|START|END))?)"
)
_MADE_URL: Final = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_LINK_NAME: Final = re.compile(r"/[\w.-]+/[\w.-]+")


class Given(NamedTuple):
    """What was read. values: by setting. faults: a line each. faulty: settings at fault. notes: for operators."""

    values: dict[str, str]
    faults: list[str]
    faulty: frozenset[str]
    notes: tuple[str, ...]


class _FaultyValueError(Exception):
    """A value that cannot be used. The message says why, without the value."""


def read(environ: Mapping[str, str], names: Collection[str], in_files: Collection[str]) -> Given:
    """Read the settings from an environment.

    names: every setting of every role. in_files: the settings that NAME_FILE may give, mostly secrets.
    """
    made = {name for name in environ if is_made_of_a_service(name, environ)}
    values, wrong = _said({name: environ[name] for name in sorted(environ.keys() - made)}, names, in_files)
    wrong |= _read_files(values, in_files)
    faulty = {*wrong, *(name.removesuffix(FILE) for name in wrong)}
    faults = [f"{_printable(name)}: {fault}" for name, fault in wrong.items()]
    return Given(values, faults, frozenset(faulty), (*_ignored(made), *_near(environ, names)))


def _ignored(made: Collection[str]) -> Iterator[str]:
    if ours := [name for name in sorted(made) if name.startswith(PREFIXES)]:
        yield f"not settings but made of a service's name by Kubernetes or Docker: {', '.join(ours)}"


def _near(environ: Iterable[str], names: Collection[str]) -> Iterator[str]:
    """Notes on names that resemble a setting under another prefix, such as AIRUDER_ACCOUNT_TIMEZONE."""
    for name in sorted(environ):
        if not name.startswith((*PREFIXES, KAFKA)) and name.upper() not in names:
            for meant in difflib.get_close_matches(name, names, 1, _NEAR):
                yield f"{_printable(name)} is no setting; did you mean {meant}?"


def _said(
    environ: Mapping[str, str], names: Collection[str], in_files: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The values by name, and the faults by name."""
    values, wrong = {}, {}
    for name, text in environ.items():
        try:
            if name in names or (name.endswith(FILE) and name.removesuffix(FILE) in in_files):
                values[name] = _value(name, text)
            elif text.strip() and is_slip(name, names):
                raise _FaultyValueError(_unknown(name, names, in_files))
        except _FaultyValueError as fault:
            wrong[name] = str(fault)
    return {name: value for name, value in values.items() if value or _is_needed(name, values)}, wrong


def _read_files(values: dict[str, str], in_files: Iterable[str]) -> dict[str, str]:
    """Replace the names of files by their lines. Returns the faults by name."""
    wrong = {}
    for name in in_files:
        if path := values.pop(name + FILE, None):
            try:
                values[name] = _value(name, _line(Path(path), is_given_twice=name in values))
            except _FaultyValueError as fault:
                wrong[name + FILE] = str(fault)
    return wrong


def is_made_of_a_service(name: str, environ: Mapping[str, str]) -> bool:
    """True for a variable that Kubernetes, or a link of Docker, derives from a service's name."""
    value = environ[name]
    _, _, rest = name.rpartition("_")
    if _MADE.fullmatch(name) or (rest == "PORT" and _MADE_URL.fullmatch(value.strip())):
        return True
    if rest == "NAME":
        return bool(_LINK_NAME.fullmatch(value))
    link, mark, _ = name.partition("_ENV_")
    return bool(mark) and bool(_LINK_NAME.fullmatch(environ.get(link + "_NAME", "")))


def is_slip(name: str, names: Collection[str]) -> bool:
    """True for an unknown name that was probably meant as a setting."""
    if name.startswith(PREFIXES) or name.upper() in names:
        return True
    if not name.startswith(KAFKA) or _BROKERS_OWN.fullmatch(rest := name.removeprefix(KAFKA)):
        return False
    ours = [known.removeprefix(KAFKA) for known in names if known.startswith(KAFKA)]
    return rest.startswith(_OUR_FAMILIES) or bool(difflib.get_close_matches(rest, ours, 1, _CLOSE))


def _unknown(name: str, names: Iterable[str], in_files: Iterable[str]) -> str:
    known = sorted({*names, *(secret + FILE for secret in in_files)})
    letters = {other.replace("_", ""): other for other in known}  # KAFKA_SSL_CA_FILE is KAFKA_SSL_CAFILE
    same = letters.get(name.upper().replace("_", ""))
    longer = sorted((other for other in known if other.startswith(name) and name not in PREFIXES), key=len)
    meant = [same] if same else longer or difflib.get_close_matches(name.upper(), known, 1, _ALIKE)
    return "unknown setting" + (f"; did you mean {meant[0]}?" if meant else "")


def _value(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _FaultyValueError("is not UTF-8") from None
    return text if name.endswith("_PASSWORD") and text.strip() else text.strip()


def _is_needed(name: str, values: Mapping[str, str]) -> bool:
    return name == NEVER_EMPTY and not values.get(name + FILE)


def _line(path: Path, *, is_given_twice: bool) -> str:
    """The one line of a file, without its end. Raises: _FaultyValueError."""
    if is_given_twice:
        raise _FaultyValueError("the same is given without _FILE: set one of them")
    try:
        if path.exists() and not path.is_file():
            raise _FaultyValueError("is not a file")
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None)
        raise _FaultyValueError(why or "cannot be read") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        raise _FaultyValueError("is empty")
    if len(text) > MAX_SECRET_BYTES:
        raise _FaultyValueError("is too large")
    if "\n" in line:
        raise _FaultyValueError("has more than one line")
    return line


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()
