"""Signatures: every published vector of research/signatures.md that reproduces, and every way to be wrong."""

from __future__ import annotations

import json

import pytest

from gateway.signatures.verification import Unverified, Verified, Verifier, matching_schemes
from schemas.signatures.keys import Key
from schemas.signatures.schemes import SCHEMES
from schemas.signatures.signing import sign

HEADER = "X-AIRudder-Sign"
JEFE, WHAT = b"Jefe", b"what do ya want for nothing?"
GITHUB = b"It's a Secret to Everybody"
WECHAT_KEY = b"192006250b4c09247ec02edce69f6a2d"
WECHAT = json.dumps(
    {
        "nonce_str": "ibuaiVcKdpRxkhJA",
        "appid": "wxd930ea5d5a258f4f",
        "device_info": "1000",
        "mch_id": 10000100,
        "body": "test",
        "sign": "dropped",
        "empty": "",
        "nothing": None,
        "nested": {"not": "signed"},
    }
).encode()
SMALL = b'{"test": 2432232314}'
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_AT = 1614265330
STANDARD = [
    (b"webhook-id", b"msg_p5jXN8AQM9LWM0D4loKWxJek"),
    (b"webhook-timestamp", b"1614265330"),
    (b"webhook-signature", b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
]

VECTORS = [
    pytest.param(
        "hmac-sha256", JEFE, WHAT, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", id="rfc"
    ),
    pytest.param("hmac-sha256", JEFE, WHAT, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", id="sha256-base64"),
    pytest.param("hmac-sha1", JEFE, WHAT, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", id="rfc-2202"),
    pytest.param("hmac-sha256", JEFE, WHAT, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM", id="no padding"),
    pytest.param("hmac-sha256", JEFE, WHAT, "Sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", id="Prefix"),
    pytest.param("hmac-md5", JEFE, WHAT, "MD5=dQx4PmqwtQPqqG4xCl23OA", id="PREFIX and no padding"),
    pytest.param("hmac-sha1", JEFE, WHAT, "7/zfauXrL6LSdBbV8YTfnCWafHk=", id="sha1-base64"),
    pytest.param("hmac-md5", JEFE, WHAT, "750c783e6ab0b503eaa86e310a5db738", id="md5"),
    pytest.param("hmac-md5", JEFE, WHAT, "dQx4PmqwtQPqqG4xCl23OA==", id="md5-base64"),
    pytest.param(
        "hmac-sha256",
        GITHUB,
        b"Hello, World!",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        id="github",
    ),
    pytest.param(
        "hmac-sha256",
        b"secret",
        b'{"body":"sample"}',
        "0278b1a603de4c561ac0feb960354d0d00e8846b74813d81bddb43ad45bff767",
        id="datasaur",
    ),
    pytest.param("sorted-md5", WECHAT_KEY, WECHAT, "9A0A8659F005D6984697E2CA0A9CF3B7", id="wechat-md5"),
    pytest.param("sorted-md5", WECHAT_KEY, WECHAT, "9a0a8659f005d6984697e2ca0a9cf3b7", id="wechat-md5-lower"),
    pytest.param(
        "sorted-hmac-sha256",
        WECHAT_KEY,
        WECHAT,
        "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6",
        id="wechat-sha256",
    ),
    pytest.param("body-key-md5", b"airudder", SMALL, "0808aa72bf013b10bb1fbeb03b8b43f5", id="body-key-md5"),
    pytest.param(
        "body-key-sha256",
        b"airudder",
        SMALL,
        "1eac51f8215fc6251191163c60ed6fc798bae144b544fa0084fb7106f8f88376",
        id="body-key-sha256",
    ),
]


def one_header(value: str | bytes) -> list[tuple[bytes, bytes]]:
    return [(HEADER.lower().encode(), value.encode() if isinstance(value, str) else value)]


def verify(
    scheme: str, secret: bytes, body: bytes, headers: list[tuple[bytes, bytes]], now_s: float = 0
) -> Verified | Unverified:
    return Verifier(scheme, [Key("k", secret)], HEADER).verify(body, headers, now_s)


@pytest.mark.parametrize(("scheme", "secret", "body", "value"), VECTORS)
def test_a_published_vector_verifies(scheme: str, secret: bytes, body: bytes, value: str) -> None:
    assert verify(scheme, secret, body, one_header(value)) == Verified(scheme, "k")


@pytest.mark.parametrize(("scheme", "secret", "body", "value"), VECTORS)
def test_another_key_does_not_verify(scheme: str, secret: bytes, body: bytes, value: str) -> None:
    assert verify(scheme, secret + b"x", body, one_header(value)) == Unverified("mismatch")


@pytest.mark.parametrize(("scheme", "secret", "body", "value"), VECTORS)
def test_another_body_does_not_verify(scheme: str, secret: bytes, body: bytes, value: str) -> None:
    other = body.swapcase()

    assert verify(scheme, secret, other, one_header(value)) == Unverified("mismatch")


@pytest.mark.parametrize(("scheme", "secret", "body", "value"), VECTORS)
def test_auto_accepts_what_covers_the_whole_body_and_nothing_else(
    scheme: str, secret: bytes, body: bytes, value: str
) -> None:
    verdict = verify("auto", secret, body, one_header(value))

    assert verdict == (Unverified("mismatch") if scheme.startswith("sorted-") else Verified(scheme, "k"))


@pytest.mark.parametrize(("scheme", "secret", "body", "value"), VECTORS)
def test_which_scheme_names_scheme_and_key(scheme: str, secret: bytes, body: bytes, value: str) -> None:
    keys = [Key("other", b"other"), Key("k", secret)]

    assert matching_schemes(body, value, keys) == [Verified(scheme, "k")]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_a_sender_signs_verifies(scheme: str) -> None:
    key = Key("k", STANDARD_SECRET)

    headers = sign(SMALL, scheme, key, HEADER, 1000)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert Verifier(scheme, [key], HEADER).verify(SMALL, raw, 1000) == Verified(scheme, "k")


def test_auto_signs_with_hmac_sha256_in_hex() -> None:
    assert sign(WHAT, "auto", Key("k", JEFE), HEADER, 0) == {
        HEADER: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    }


def test_any_active_key_verifies_and_is_named() -> None:
    verifier = Verifier("auto", [Key("old", b"old"), Key("new", JEFE)], HEADER)

    verdict = verifier.verify(WHAT, one_header("750c783e6ab0b503eaa86e310a5db738"), 0)

    assert verdict == Verified("hmac-md5", "new")


GOOD = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize("scheme", [*SCHEMES, "auto"])
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param([], "missing", id="missing"),
        pytest.param(one_header(""), "mismatch", id="empty"),
        pytest.param(one_header(GOOD) * 2, "repeated", id="doubled"),
        pytest.param(one_header(b"\xff" * 64), "mismatch", id="non-ASCII"),
        pytest.param(one_header(b"\xc3\xa9" * 22), "mismatch", id="non-ASCII as long as base64"),
        pytest.param(one_header("z" * 64), "mismatch", id="not hex"),
        pytest.param(one_header("dQx4PmqwtQPqqG4xCl23OA="), "mismatch", id="half the padding"),
        pytest.param(one_header("SHA256=SHA256=" + GOOD), "mismatch", id="two prefixes"),
        pytest.param(one_header("=" * 44), "mismatch", id="not base64"),
        pytest.param(one_header(GOOD[:-1]), "mismatch", id="too short"),
        pytest.param(one_header("sha1=" + GOOD), "mismatch", id="prefix of another algorithm"),
        pytest.param(one_header("0" * 1_000_000), "mismatch", id="huge"),
        pytest.param([(b"authorization", GOOD.encode())], "missing", id="another header"),
    ],
)
def test_a_bad_header_is_a_verdict_and_never_an_exception(
    scheme: str, headers: list[tuple[bytes, bytes]], reason: str
) -> None:
    verdict = verify(scheme, STANDARD_SECRET, WHAT, headers)

    # standard-webhooks looks at headers of its own, which are missing in every case
    assert verdict == Unverified("missing" if scheme == "standard-webhooks" else reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a": "\\ud800"}', b"{"])
@pytest.mark.parametrize("scheme", ["sorted-md5", "sorted-hmac-sha256"])
def test_a_body_that_cannot_be_sorted_does_not_verify(scheme: str, body: bytes) -> None:
    assert verify(scheme, b"k", body, one_header("0" * (32 if "md5" in scheme else 64))) == Unverified("mismatch")


def test_standard_webhooks_reproduces_the_published_vector() -> None:
    assert verify("standard-webhooks", STANDARD_SECRET, SMALL, STANDARD, STANDARD_AT) == Verified(
        "standard-webhooks", "k"
    )
    assert verify("auto", STANDARD_SECRET, SMALL, STANDARD, STANDARD_AT) == Verified("standard-webhooks", "k")


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [
        (STANDARD_AT + 300, Verified("standard-webhooks", "k")),
        (STANDARD_AT + 301, Unverified("stale")),
        (STANDARD_AT - 60, Verified("standard-webhooks", "k")),
        (STANDARD_AT - 61, Unverified("stale")),
    ],
)
def test_a_timestamp_holds_for_300_s_and_60_s_into_the_future(now_s: int, expected: object) -> None:
    assert verify("standard-webhooks", STANDARD_SECRET, SMALL, STANDARD, now_s) == expected
    assert verify("auto", STANDARD_SECRET, SMALL, STANDARD, now_s) == expected


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("value", [b"", b"\xff\xff", b"v2,nonsense", b"99999999999999999999"])
def test_standard_webhooks_refuses_any_changed_header(position: int, value: bytes) -> None:
    headers = list(STANDARD)
    headers[position] = (headers[position][0], value)

    assert verify("standard-webhooks", STANDARD_SECRET, SMALL, headers, STANDARD_AT) == Unverified("mismatch")


def test_one_good_signature_in_a_list_is_enough() -> None:
    headers = [*STANDARD[:2], (b"webhook-signature", b"v1,AAAA v2,x " + STANDARD[2][1])]

    assert isinstance(verify("standard-webhooks", STANDARD_SECRET, SMALL, headers, STANDARD_AT), Verified)


@pytest.mark.parametrize("secret", [b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"whsec_", b"whsec_!"])
def test_a_secret_that_is_not_whsec_never_verifies_standard_webhooks(secret: bytes) -> None:
    assert verify("standard-webhooks", secret, SMALL, STANDARD, STANDARD_AT) == Unverified("mismatch")


@pytest.mark.parametrize("keys", [[], [Key("k", b"")]])
def test_no_keys_or_an_empty_secret_fail_closed(keys: list[Key]) -> None:
    with pytest.raises(ValueError, match="keys"):
        Verifier("auto", keys, HEADER)


def test_a_key_hides_its_secret() -> None:
    assert "hunter2" not in repr(Key("k", b"hunter2"))
