"""Secrets at rest: only the right key opens them, and only in the place they were sealed for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.sealing import Sealer, SealError

KEY, OTHER = b"k" * 32, b"o" * 32
PLACE = "llmgateway.provider:7:credential"


@given(st.text(max_size=500))
def test_what_is_sealed_is_opened_again(secret: str) -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(secret, bound_to=PLACE)
    assert sealer.open(sealed, bound_to=PLACE) == secret
    assert secret.encode() not in sealed or len(secret) < 4


def test_a_ciphertext_copied_to_another_row_does_not_open() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal("sk-secret", bound_to=PLACE)
    with pytest.raises(SealError):
        sealer.open(sealed, bound_to="llmgateway.provider:8:credential")


def test_the_same_secret_is_never_sealed_alike_twice() -> None:
    sealer = Sealer(KEY)
    assert sealer.seal("sk", bound_to=PLACE) != sealer.seal("sk", bound_to=PLACE)


def test_a_new_key_seals_while_the_old_one_still_opens() -> None:
    old = Sealer(KEY).seal("sk-secret", bound_to=PLACE)
    rotated = Sealer(OTHER, KEY)
    assert rotated.open(old, bound_to=PLACE) == "sk-secret"
    assert Sealer(OTHER).open(rotated.seal("sk-new", bound_to=PLACE), bound_to=PLACE) == "sk-new"
    with pytest.raises(SealError):
        Sealer(OTHER).open(old, bound_to=PLACE)


@given(st.binary(max_size=200))
def test_nothing_else_opens(data: bytes) -> None:
    with pytest.raises(SealError):
        Sealer(KEY).open(data, bound_to=PLACE)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    sealer = Sealer(KEY)
    sealed = bytearray(sealer.seal("sk-secret", bound_to=PLACE))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        sealer.open(bytes(sealed), bound_to=PLACE)


def test_a_sealing_key_is_32_bytes() -> None:
    for keys in ((), (b"short",), (KEY, b"short")):
        with pytest.raises(ValueError, match="32 bytes"):
            Sealer(*keys)
