"""Types of settings: each checks one kind of value, the same for every role. A message never repeats the value."""

import ipaddress
import os
import re
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(rf"({KEY_ID.pattern}):(.+)", re.DOTALL)
_TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,100}")
_GROUP_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
_NAME_WITH_STARS = re.compile(r"[A-Za-z0-9._*-]*")
_LAST_PORT = 65535
_NO_ZONES = frozenset({"localtime", "Factory"})  # files of the system that name no zone; `localtime` differs by machine

SIGNATURE_SCHEMES = (
    "auto",
    "hmac-sha256",
    "hmac-sha1",
    "hmac-md5",
    "body-key-sha256",
    "body-key-md5",
    "standard-webhooks",
    "sorted-md5",
    "sorted-hmac-sha256",
)


def setting(name: str, default: Any = None, *, may_be_in_file: bool = False, repr: bool = True) -> Any:
    """A field that is read from the variable `name`. may_be_in_file: NAME_FILE may name a file with the value."""
    return Field(
        default=default,
        validation_alias=name,
        repr=repr,
        json_schema_extra={"may_be_in_file": may_be_in_file},
    )


def _host(text: str) -> str:
    if not (_HOST_NAME.fullmatch(text) or _is_ip(text)):
        raise ValueError("not a host name or an address, without port and brackets")
    return text


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """True for a host that only this machine reaches."""
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _servers(text: str) -> str:
    servers = [server.strip() for server in text.split(",")]
    if not all(map(_is_server, servers)):
        raise ValueError("must be host:port[,host:port], an IPv6 address in brackets")
    return ",".join(servers)


def _is_server(text: str) -> bool:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
        return False
    if host.startswith("["):
        return host.endswith("]") and ":" in host and _is_ip(host[1:-1])
    return bool(_HOST_NAME.fullmatch(host))


def _urls(text: str) -> str:
    urls = [url.strip() for url in text.split(",")]
    if not all(map(is_url, urls)):
        raise ValueError("must start with http:// or https://, and name a host")
    return ",".join(urls)


def _plain_urls(text: str) -> str:
    if "@" in text:
        raise ValueError("must have no user and no password: what is read there is public inside the network")
    return _urls(text)


def _plain_url(text: str) -> str:
    if "," in text:
        raise ValueError("must be one URL")
    return _plain_urls(text)


def is_url(text: str) -> bool:
    """True for a URL with http or https and a host, without query and fragment."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is none, brackets that do not close
        return False
    host = parts.hostname or ""
    return (
        parts.scheme in ("http", "https")
        and bool(_HOST_NAME.fullmatch(host) or _is_ip(host))
        and port != 0
        and not (parts.query or parts.fragment)
        and text.isprintable()
        and " " not in text
    )


def _readable_file(path: str) -> str:
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ValueError("no such readable file")
    return path


_timezones = cache(available_timezones)  # it reads many files


def _timezone(text: str) -> str:
    if text not in _timezones() or text in _NO_ZONES:
        raise ValueError("not the IANA name of a time zone, such as Asia/Jakarta")
    return text


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("not the name of an HTTP header")
    return text


def _group_id(text: str) -> str:
    if not _GROUP_ID.fullmatch(text) or text in (".", ".."):
        raise ValueError("must be 1 to 200 letters, digits, dots, dashes or underscores, as it begins topics' names")
    return text


def _group_patterns(text: str) -> str:
    try:
        for part in text.split(","):
            if not _NAME_WITH_STARS.fullmatch(part.strip()):
                re.compile(part.strip())
    except re.error:
        raise ValueError("must be patterns separated by commas, such as billing,orders-* or team-.+") from None
    return text


def key_pairs(text: Any) -> Any:
    """`id:secret,id:secret` as pairs. Raises: ValueError naming positions, never secrets."""
    if not isinstance(text, str):
        return text
    matches = [_KEY.fullmatch(part.strip()) for part in text.split(",")]
    wrong = [str(position) for position, match in enumerate(matches, 1) if match is None]
    if wrong:
        raise ValueError(f"entry {', '.join(wrong)} is not id:secret")
    pairs = tuple((match[1], match[2]) for match in matches if match)
    if len({key_id for key_id, _ in pairs}) < len(pairs):
        raise ValueError("two keys have the same id")
    return pairs


def _scheme(text: str) -> str:
    if text.lower() not in SIGNATURE_SCHEMES:
        raise ValueError(f"must be one of {', '.join(SIGNATURE_SCHEMES)}")
    return text.lower()


def _no_controls(text: Any) -> Any:
    if isinstance(text, str) and not text.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return text


def topic_prefix(text: str) -> str:
    """The text itself. Raises: ValueError when no name of a topic may begin so."""
    if not _TOPIC_PREFIX.fullmatch(text):
        raise ValueError("must be up to 100 letters, digits, dots, dashes or underscores, as it begins topics' names")
    return text


def _upper(text: Any) -> Any:
    return text.upper() if isinstance(text, str) else text


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=0, le=_LAST_PORT)]  # 0: a free one
Servers = Annotated[str, AfterValidator(_servers)]
Urls = Annotated[str, AfterValidator(_urls)]
PlainUrls = Annotated[str, AfterValidator(_plain_urls)]
PlainUrl = Annotated[str, AfterValidator(_plain_url)]
ReadableFile = Annotated[str, AfterValidator(_readable_file)]
Text = Annotated[str, BeforeValidator(_no_controls)]
Secret = Annotated[SecretStr, BeforeValidator(_no_controls)]
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]  # 0: no limit
TimezoneName = Annotated[str, AfterValidator(_timezone)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
GroupId = Annotated[str, AfterValidator(_group_id)]
TopicPrefix = Annotated[str, AfterValidator(topic_prefix)]
GroupPatterns = Annotated[str, BeforeValidator(_no_controls), AfterValidator(_group_patterns)]
SigningKeys = Annotated[Any, BeforeValidator(key_pairs)]
SignatureScheme = Annotated[str, AfterValidator(_scheme)]
SignatureMode = Annotated[Literal["enforce", "report", "off"], BeforeValidator(_lower)]
SecurityProtocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]
SaslMechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]
CompressionType = Annotated[Literal["zstd", "lz4", "snappy", "gzip", "none"], BeforeValidator(_lower)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
