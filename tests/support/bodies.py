"""Bodies by what is odd about them: JSON that an event must give back byte for byte, and what is no JSON for us."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"
DEEPEST = b"[" * 64 + b"]" * 64
KEPT: dict[str, bytes] = {
    "repeated keys": b'{"a": 1, "a": 2, "b": {"c": 1, "c": 2}}',
    "order and space": b' \t\r\n{"z": 1,\n"a":2} \n',
    "numbers of any size": b"[1e400, -0, 0.1e-999, 1.0, 10000000000000000000000000001]",
    "very long number": b"9" * 10_000,
    "very long number beside half of a pair": rb'["\ud800", ' + b"9" * 10_000 + b"]",
    "half of a surrogate pair": rb'{"a": "\ud800", "\udc00x": "\ud83d\ude00"}',
    "an escaped NUL": rb'"\u0000"',
    "escapes": rb'["\u6797", "\/", "\"", "\u0041"]',
    "text": '["林 🎂 \u202e \u2028 \x7f", ""]'.encode(),
    "byte order mark": BOM + b'{"a": 1}',
    "null": b"null",
    "false": b"false",
    "a number": b"7",
    "empty text": b'""',
    "empty object": b"{}",
    "empty array": b"[]",
    "nested 64 deep": DEEPEST,
    "brackets in text": b'"' + b"[" * 5000 + b'"',
    "nearly 1 MiB": b'{"a": "' + b"x" * (2**20 - 9) + b'"}',
}
REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "space": b"  \n",
    "text that is no JSON": b"hello",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[-Infinity]",
    "a comma too many": b'{"a": 1,}',
    "a raw NUL": b'"\x00"',
    "a raw tab in text": b'"\t"',
    "two values": b"1 2",
    "cut": b'{"a": [1, 2',
    "single quotes": b"{'a': 1}",
    "leading zero": b"01",
    "Latin-1": b'"\xe9"',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "two byte order marks": BOM + BOM + b"{}",
    "half of an escape": rb'"\ud8"',
    "nested 65 deep": b"[" + DEEPEST + b"]",
    "nested 65 deep with half a pair": b"[" * 64 + rb'["\ud800"]' + b"]" * 64,
    "nested 100,000 deep": b"[" * 100_000,
    "objects nested 50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
}
