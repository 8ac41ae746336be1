"""The curve NIST P-256 in plain integers: multiples of the generator, and of any point.

Points are affine pairs `(x, y)`; `None` is the point at infinity. Inside, Jacobian coordinates
`(X, Y, Z)` with x = X/Z^2, y = Y/Z^3 save all inversions but the last one.

A multiple of the generator uses a comb of four teeth: 64 doublings and 64 additions whatever the
secret is, so the sequence of operations does not depend on it. The time of one big-integer
operation still may: a reading leaves at the end of its interval, not at the end of signing, and
somebody with a probe on the board needs tier C.
"""

from meternode.p256_table import COORDINATE_BYTES, comb_point

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GENERATOR = comb_point(1)
TEETH = 4
COLUMNS = 64
SCALAR_BITS = 256
EXPONENT_BITS = 16
"""How much of an exponent one step of an inversion works off."""
STEP_MULTIPLICATIONS_MAX = 64
"""Field multiplications of one step of any generator here: what a node's relays, its sampling and
its watchdog wait for. `tests/firmware/checks/step_checks.py` counts them."""


def inverse(value, modulus):
    """The multiplicative inverse modulo a prime."""
    return finished(inverse_steps(value, modulus))


def inverse_steps(value, modulus):
    """The same in 16 steps, by Fermat: value ** (modulus - 2), the exponent from its upper end."""
    exponent, result = modulus - 2, 1
    for shift in range(SCALAR_BITS - EXPONENT_BITS, -1, -EXPONENT_BITS):
        digits = (exponent >> shift) & ((1 << EXPONENT_BITS) - 1)
        result = pow(result, 1 << EXPONENT_BITS, modulus)
        result = result * pow(value, digits, modulus) % modulus
        yield
    return result


def is_on_curve(point):
    """Whether an affine point satisfies y^2 = x^3 - 3x + b with both coordinates below P."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x * x - 3 * x + B)) % P == 0


def multiply_generator(scalar):
    """`scalar` times the generator, 0 < scalar < N."""
    return finished(generator_steps(scalar))


def generator_steps(scalar):
    """The same in 80 steps, between which a node can look after its relays; returns the point."""
    total = None
    for column in range(COLUMNS - 1, -1, -1):
        if total is not None:
            total = _double(total)
        digit = 0
        for tooth in range(TEETH):
            digit |= ((scalar >> (column + COLUMNS * tooth)) & 1) << tooth
        added = _add_affine(total, comb_point(digit or 1))
        total = added if digit else total  # an addition is made either way
        yield
    return (yield from _affine_steps(total))


def finished(steps):
    """Run a generator to its end; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def multiply(scalar, point):
    """`scalar` times `point`, for public values only: its path shows the scalar."""
    return finished(multiply_steps(scalar, point))


def multiply_steps(scalar, point):
    """The same in 272 steps, one for each bit and then an inversion; returns the point."""
    total = None
    for bit in range(SCALAR_BITS - 1, -1, -1):
        total = _double(total)
        if (scalar >> bit) & 1:
            total = _add_affine(total, point)
        yield
    return (yield from _affine_steps(total))


def add(left, right):
    """The sum of two affine points."""
    return finished(add_steps(left, right))


def add_steps(left, right):
    """The same in 16 steps."""
    if left is None:
        return right
    if right is None:
        return left
    return (yield from _affine_steps(_add_affine((left[0], left[1], 1), right)))


def encode_point(point):
    """The uncompressed X9.62 form, 65 bytes."""
    x, y = point
    return b"\x04" + x.to_bytes(COORDINATE_BYTES, "big") + y.to_bytes(COORDINATE_BYTES, "big")


def decode_point(encoded):
    """The point in an uncompressed X9.62 form; `ValueError` unless it lies on the curve."""
    if len(encoded) != 2 * COORDINATE_BYTES + 1 or encoded[0] != 4:
        raise ValueError("not an uncompressed point of P-256")
    x = int.from_bytes(encoded[1 : 1 + COORDINATE_BYTES], "big")
    y = int.from_bytes(encoded[1 + COORDINATE_BYTES :], "big")
    if not is_on_curve((x, y)):
        raise ValueError("the point is not on P-256")
    return x, y


def _double(point):
    if point is None or point[1] == 0:
        return None
    x, y, z = point
    z_squared = z * z % P
    y_squared = y * y % P
    s = 4 * x * y_squared % P
    m = 3 * (x - z_squared) * (x + z_squared) % P  # a = -3
    x_doubled = (m * m - 2 * s) % P
    y_doubled = (m * (s - x_doubled) - 8 * y_squared * y_squared) % P
    return x_doubled, y_doubled, 2 * y * z % P


def _add_affine(point, affine):
    """Jacobian plus affine, with the cases the usual formula leaves out."""
    if point is None:
        return affine[0], affine[1], 1
    x, y, z = point
    z_squared = z * z % P
    h = (affine[0] * z_squared - x) % P
    r = (affine[1] * z_squared * z - y) % P
    if h == 0:
        return _double(point) if r == 0 else None
    h_squared = h * h % P
    h_cubed = h_squared * h % P
    v = x * h_squared % P
    x_sum = (r * r - h_cubed - 2 * v) % P
    return x_sum, (r * (v - x_sum) - y * h_cubed) % P, z * h % P


def _affine_steps(point):
    if point is None:
        return None
    z_inverse = yield from inverse_steps(point[2], P)
    z_squared = z_inverse * z_inverse % P
    return point[0] * z_squared % P, point[1] * z_squared * z_inverse % P
