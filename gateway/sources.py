"""Which addresses count as one sender. Pure."""

from functools import lru_cache
from ipaddress import ip_address


def source_of(address: str) -> str:
    """The sender of an address: an IPv4 address, or the 64-bit network of an IPv6 one, since a sender owns it all."""
    return _remembered_network(address) if ":" in address else address


def network_of(address: str) -> str:
    """The same for any text; all text that is no address counts as one sender."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else f"{int(parsed) >> 64:x}/64"


_remembered_network = lru_cache(maxsize=1000)(network_of)
