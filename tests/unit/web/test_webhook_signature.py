"""The signature is the one that Standard Webhooks' own libraries verify."""

from __future__ import annotations

import base64

from gateway.web.webhooks import sign

# The example of the Standard Webhooks specification.
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
EXPECTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_alike() -> None:
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == EXPECTED


def test_any_change_changes_it() -> None:
    others = [
        ("msg_x", 1614265330, b"{}"),
        ("msg_y", 1614265330, b"{}"),
        ("msg_x", 1, b"{}"),
        ("msg_x", 1614265330, b"[]"),
    ]
    assert len({sign(SECRET, *one) for one in others}) == len(others)
