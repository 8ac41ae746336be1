"""How much work one step of signing and verifying is, counted in field multiplications.

A board's relays, sampling and watchdog wait for a step; how long one multiplication takes, a board
has to show (docs/hardware.md).
"""

import hashlib
import json

from meternode import ecdsa, manifest, p256
from update_checks import POINT, signed

SECRET = 0x5EED
DIGEST = hashlib.sha256(b"a reading").digest()
SMALL = 16
"""A multiple of a number below this is a sum or a shift."""


class Work:
    """Multiplications since the last step."""

    count = 0


class Counted:
    """An integer of the field whose multiplications are counted."""

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        other = plain(other)
        Work.count += other >= SMALL
        return Counted(self.value * other)

    __rmul__ = __mul__

    def __add__(self, other):
        return Counted(self.value + plain(other))

    __radd__ = __add__

    def __sub__(self, other):
        return Counted(self.value - plain(other))

    def __rsub__(self, other):
        return Counted(plain(other) - self.value)

    def __lt__(self, other):
        return self.value < plain(other)

    def __gt__(self, other):
        return self.value > plain(other)

    def __mod__(self, other):
        return Counted(self.value % other)

    def __eq__(self, other):
        return self.value == plain(other)

    def __hash__(self):
        return hash(self.value)


def plain(number):
    return number.value if isinstance(number, Counted) else number


def counted_pow(base, exponent, modulus):
    """Square and multiply."""
    digits = f"{exponent:b}"
    Work.count += len(digits) + digits.count("1")
    result = pow(plain(base), exponent, modulus)
    return Counted(result) if isinstance(base, Counted) else result


def longest_step(steps):
    """`(multiplications of the longest step, number of steps, result)`."""
    comb_point = p256.comb_point
    p256.comb_point = lambda bits: tuple([Counted(number) for number in comb_point(bits)])
    p256.pow = counted_pow
    longest = count = 0
    try:
        while True:
            Work.count = 0
            try:
                next(steps)
            except StopIteration as end:
                return max(longest, Work.count), count + 1, end.value
            longest, count = max(longest, Work.count), count + 1
    finally:
        p256.comb_point = comb_point
        del p256.pow


def check_no_step_of_a_signature_is_longer_than_its_limit():
    longest, steps, signature = longest_step(ecdsa.sign_steps(SECRET, DIGEST))
    assert tuple([plain(part) for part in signature]) == ecdsa.sign_digest(SECRET, DIGEST)
    assert 20 <= longest <= p256.STEP_MULTIPLICATIONS_MAX, longest
    assert steps == 64 + 16 + 16 + 1


def check_no_step_of_a_verification_is_longer_than_its_limit():
    point = tuple([Counted(number) for number in p256.multiply_generator(SECRET)])
    r, s = ecdsa.sign_digest(SECRET, DIGEST)
    longest, steps, is_signed = longest_step(ecdsa.verify_steps(point, DIGEST, r, s))
    assert is_signed
    assert 20 <= longest <= p256.STEP_MULTIPLICATIONS_MAX, longest
    assert steps == 16 + (64 + 16) + (256 + 16) + 16 + 1


def check_an_update_is_checked_in_as_many_steps_as_its_signature():
    count = sum(1 for _ in manifest.check_steps(signed(), POINT, "1.0.0"))
    assert count == 16 + (64 + 16) + (256 + 16) + 16
    forged = json.dumps(dict(json.loads(signed()), version="1.2.0"))
    steps = manifest.check_steps(forged, POINT, "1.0.0")
    seen = 0
    refused = None
    while refused is None:
        try:
            next(steps)
            seen += 1
        except manifest.BadUpdate as error:
            refused = str(error)
    assert (refused, seen) == ("signature", count)
