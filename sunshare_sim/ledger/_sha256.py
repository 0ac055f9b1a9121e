"""SHA-256 of many short messages at once: sixteen side by side, for which the compiler uses vector instructions.

A call of a library's SHA-256 from Python costs more than the hashing of a receipt itself; here a whole level of a tree
is one call. NIST FIPS 180-4 (2015), doi:10.6028/NIST.FIPS.180-4; tested against `hashlib`, message by message.
"""

from hashlib import sha256
from math import isqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.kernels import kernel

Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]

LANES: Final = 16
_ROUNDS: Final = 64
# Data beyond this is not taken: message, 0x80 and eight bytes of length fill two blocks of 64 bytes.
DATA_BYTES: Final = 64
FEW: Final = 5
_PRIMES: Final = [n for n in range(2, 312) if all(n % d for d in range(2, isqrt(n) + 1))]


def _cube_root(value: int) -> int:
    root = int(value ** (1 / 3))
    while root**3 > value:
        root -= 1
    while (root + 1) ** 3 <= value:
        root += 1
    return root


# The first 32 bits of the fractional parts of square and cube roots of primes (FIPS 180-4, 4.2.2 and 5.3.3).
START: Final[Words] = np.array([isqrt(prime << 64) % 2**32 for prime in _PRIMES[:8]], dtype=np.uint32)
ROUND_CONSTANTS: Final[Words] = np.array([_cube_root(p << 96) % 2**32 for p in _PRIMES], dtype=np.uint32)


@kernel
def _turn(x: np.uint32, by: int) -> np.uint32:
    return (x >> np.uint32(by)) | (x << np.uint32(32 - by))


@kernel
def _compress(state: Words, w: Words, a: Words, e: Words, constants: Words) -> None:
    """Take one block of each lane into `state`; the words of FIPS 180-4 stand lane beside lane in flat arrays.

    `a` and `e` keep the working variables of all rounds (b, c, d and f, g, h are those of the rounds before), so that
    no round overwrites what it reads.
    """
    for t in range(16, _ROUNDS):
        for lane in range(LANES):
            x, y = w[(t - 15) * LANES + lane], w[(t - 2) * LANES + lane]
            small0 = _turn(x, 7) ^ _turn(x, 18) ^ (x >> np.uint32(3))
            small1 = _turn(y, 17) ^ _turn(y, 19) ^ (y >> np.uint32(10))
            w[t * LANES + lane] = w[(t - 16) * LANES + lane] + small0 + w[(t - 7) * LANES + lane] + small1
    for j in range(4):
        for lane in range(LANES):
            a[(3 - j) * LANES + lane] = state[j * LANES + lane]
            e[(3 - j) * LANES + lane] = state[(4 + j) * LANES + lane]
    for t in range(4, _ROUNDS + 4):
        for lane in range(LANES):
            e1, e2, e3 = e[(t - 1) * LANES + lane], e[(t - 2) * LANES + lane], e[(t - 3) * LANES + lane]
            a1, a2, a3 = a[(t - 1) * LANES + lane], a[(t - 2) * LANES + lane], a[(t - 3) * LANES + lane]
            choice = (e1 & e2) ^ (~e1 & e3)
            first = e[(t - 4) * LANES + lane] + (_turn(e1, 6) ^ _turn(e1, 11) ^ _turn(e1, 25)) + choice
            first = first + constants[t - 4] + w[(t - 4) * LANES + lane]
            majority = (a1 & a2) ^ (a1 & a3) ^ (a2 & a3)
            e[t * LANES + lane] = a[(t - 4) * LANES + lane] + first
            a[t * LANES + lane] = first + (_turn(a1, 2) ^ _turn(a1, 13) ^ _turn(a1, 22)) + majority
    for j in range(4):
        for lane in range(LANES):
            state[j * LANES + lane] += a[(_ROUNDS + 3 - j) * LANES + lane]
            state[(4 + j) * LANES + lane] += e[(_ROUNDS + 3 - j) * LANES + lane]


@kernel
def _hash(data: Bytes, prefix: int, out: Bytes, constants: Words, start: Words) -> None:
    count = data.size // DATA_BYTES
    state, w = np.empty(8 * LANES, dtype=np.uint32), np.empty(_ROUNDS * LANES, dtype=np.uint32)
    a = np.empty((_ROUNDS + 4) * LANES, dtype=np.uint32)
    e = np.empty((_ROUNDS + 4) * LANES, dtype=np.uint32)
    for group in range(0, count, LANES):
        lanes = min(LANES, count - group)
        for j in range(8):
            for lane in range(LANES):
                state[j * LANES + lane] = start[j]
        # Block 1: the prefix and the first 63 bytes, so that each word straddles two of the data's.
        for lane in range(lanes):
            at, before = (group + lane) * DATA_BYTES, np.uint32(prefix)
            for j in range(16):
                base = at + 4 * j
                b0, b1 = np.uint32(data[base]), np.uint32(data[base + 1])
                b2, b3 = np.uint32(data[base + 2]), np.uint32(data[base + 3])
                w[j * LANES + lane] = (
                    (before << np.uint32(24)) | (b0 << np.uint32(16)) | (b1 << np.uint32(8)) | b2
                )
                before = b3
        _compress(state, w, a, e, constants)
        # Block 2: the last byte, 0x80, zeros, and the length of 65 bytes in bits.
        w[: 16 * LANES] = 0
        for lane in range(lanes):
            last = np.uint32(data[(group + lane) * DATA_BYTES + DATA_BYTES - 1])
            w[lane] = (last << np.uint32(24)) | np.uint32(0x800000)
            w[15 * LANES + lane] = np.uint32(8 * (DATA_BYTES + 1))
        _compress(state, w, a, e, constants)
        for lane in range(lanes):
            at = (group + lane) * 32
            for j in range(8):
                value = state[j * LANES + lane]
                for byte in range(4):
                    out[at + 4 * j + byte] = (value >> np.uint32(24 - 8 * byte)) & np.uint32(255)


def hash_pieces(data: bytes, prefix: int) -> bytes:
    """Return SHA-256 of the byte `prefix` and each piece of 64 bytes of `data`, 32 bytes each.

    >>> from hashlib import sha256
    >>> hash_pieces(bytes(640), 1) == 10 * sha256(bytes([1]) + bytes(64)).digest()
    True
    """
    count = len(data) // DATA_BYTES
    # A few are faster one by one; and without compilation the library is.
    if count < FEW or not hasattr(_hash, "py_func"):
        first, cuts = bytes([prefix]), range(0, count * DATA_BYTES, DATA_BYTES)
        return b"".join([sha256(first + data[at : at + DATA_BYTES]).digest() for at in cuts])
    out = np.empty(count * 32, dtype=np.uint8)
    _hash(np.frombuffer(data, dtype=np.uint8), prefix, out, ROUND_CONSTANTS, START)
    return out.tobytes()
