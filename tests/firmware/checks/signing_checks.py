"""P-256 and HMAC as the node computes them, against published and shared vectors."""

import binascii
import hashlib
import json

from meternode import ecdsa, p256
from meternode.flash import read_bytes
from meternode.hmac_sha256 import equal, hmac_sha256
from meternode.reading import Reading, message, signed_line
from meternode.settings import BadSettings
from meternode.signing import HmacSigner, P256Signer, SecureElementSigner, sign
from meternode.startup import prepare
from world import World

RFC6979_SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
RFC6979 = {
    # RFC 6979 A.2.5, SHA-256: nonce, r, s
    b"sample": (
        0xA6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60,
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    b"test": (
        0xD16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0,
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
}


def check_signatures_are_those_of_rfc_6979_with_the_lower_s():
    for text, (nonce, r, s) in RFC6979.items():
        digest = hashlib.sha256(text).digest()
        assert next(ecdsa.nonces(RFC6979_SECRET, int.from_bytes(digest, "big") % p256.N)) == nonce
        assert ecdsa.sign_digest(RFC6979_SECRET, digest) == (r, ecdsa.lower(s))


def check_a_signature_verifies_and_nothing_near_it_does():
    point = p256.multiply_generator(RFC6979_SECRET)
    digest = hashlib.sha256(b"a reading").digest()
    r, s = ecdsa.sign_digest(RFC6979_SECRET, digest)
    assert ecdsa.verify_digest(point, digest, r, s)
    other = hashlib.sha256(b"another").digest()
    assert not ecdsa.verify_digest(point, other, r, s)
    assert not ecdsa.verify_digest(point, digest, r + 1, s)
    assert not ecdsa.verify_digest(point, digest, r, s - 1)
    assert not ecdsa.verify_digest(point, digest, r, p256.N - s), "the upper half is refused"
    assert not ecdsa.verify_digest(point, digest, 0, s)


def check_multiples_at_the_edges_of_the_order():
    negative = p256.P - p256.GENERATOR[1]
    assert p256.multiply_generator(1) == p256.GENERATOR
    assert p256.multiply_generator(p256.N - 1) == (p256.GENERATOR[0], negative)
    double = p256.add(p256.GENERATOR, p256.GENERATOR)
    assert p256.multiply_generator(2) == double == p256.multiply(2, p256.GENERATOR)
    assert p256.add(p256.GENERATOR, (p256.GENERATOR[0], negative)) is None
    assert p256.multiply(p256.N, p256.GENERATOR) is None
    for scalar in (3, 2**64, 2**192 + 2**128 + 5, p256.N - 2, p256.N >> 1):
        point = p256.multiply_generator(scalar)
        assert p256.is_on_curve(point)
        assert p256.multiply(scalar, p256.GENERATOR) == point


def check_only_the_shortest_der_is_read():
    r, s = 0x80 << 248, 5
    der = ecdsa.encode_signature(r, s)
    assert ecdsa.decode_signature(der) == (r, s)
    for bad in (
        b"",
        der[:-1],
        der + b"\x00",
        b"\x31" + der[1:],
        der.replace(b"\x02\x01", b"\x02\x02"),
    ):
        assert is_refused(ecdsa.decode_signature, bad), bad


def check_a_point_off_the_curve_is_refused():
    good = p256.encode_point(p256.GENERATOR)
    assert p256.decode_point(good) == p256.GENERATOR
    for bad in (
        good[:-1],
        b"\x02" + good[1:],
        good[:-1] + bytes((good[-1] ^ 1,)),
        b"\x04" + bytes(64),
    ):
        assert is_refused(p256.decode_point, bad)


def check_hmac_is_that_of_rfc_4231():
    assert binascii.hexlify(hmac_sha256(b"\x0b" * 20, b"Hi There")) == (
        b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    )
    long_key = hmac_sha256(
        b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First"
    )
    assert binascii.hexlify(long_key) == (
        b"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    )
    assert equal(b"abc", b"abc")
    assert not equal(b"abc", b"abd")
    assert not equal(b"abc", b"ab")


def check_tier_c_without_its_element_does_not_start_on_flash(folder):
    for tier, element in (("C", None), ("A", "chip"), ("B", "chip")):
        world = World(folder + "/" + tier, tier=tier)
        root = world.folder + "/root/"
        told = ""
        try:
            prepare(world.settings, world.clock, None, root, element)
        except BadSettings as error:
            told = str(error)
        assert "secure element" in told, tier
        assert read_bytes(root + "keys/meter.key") is None, "no key on flash either"


def check_an_element_that_returns_the_upper_half_is_mended():
    class Element:
        def public_point(self):
            return p256.encode_point(p256.multiply_generator(RFC6979_SECRET))[1:]

        def sign(self, digest):
            r, s = ecdsa.sign_digest(RFC6979_SECRET, digest)
            return r.to_bytes(32, "big") + (p256.N - s).to_bytes(32, "big")

    chip, plain = SecureElementSigner(Element()), P256Signer(RFC6979_SECRET)
    assert sign(chip, b"line") == sign(plain, b"line")
    assert chip.encode(sign(chip, b"line")) == plain.encode(sign(plain, b"line"))
    assert chip.key_id == plain.key_id
    assert (chip.tier, plain.tier) == ("C", "B")


def check_a_new_secret_lies_within_the_order():
    drawn = [b"\xff" * 32, bytes(32), (5).to_bytes(32, "big")]
    assert ecdsa.new_secret(lambda count: drawn.pop(0)) == 5


def check_readings_are_those_of_the_shared_vectors():
    with open(
        __file__.replace("firmware/checks/signing_checks.py", "vectors/readings.json")
    ) as file:
        vectors = json.load(file)
    keys = vectors["keys"]
    signers = {
        "A": HmacSigner(binascii.unhexlify(keys["A"]["key"])),
        "B": P256Signer(int(keys["B"]["private_key"], 16)),
    }
    assert signers["A"].key_id == keys["A"]["kid"]
    assert signers["B"].key_id == keys["B"]["kid"]
    seen = 0
    for vector in vectors["readings"]:
        values, signer = vector["reading"], signers[vector["tier"]]
        reading = Reading(
            values["seq"],
            values["t_end_ms"],
            values["import_wh"],
            values["export_wh"],
            values["quality"],
        )
        line = signed_line(values["meter_id"], reading)
        assert line.decode() == vector["line"]
        signature = signer.encode(sign(signer, line))
        made = message(values["meter_id"], reading, signer.key_id, signature)
        assert json.loads(made) == json.loads(vector["message"])
        seen += 1
    assert seen >= 8


def is_refused(function, argument):
    try:
        function(argument)
    except ValueError:
        return True
    return False
