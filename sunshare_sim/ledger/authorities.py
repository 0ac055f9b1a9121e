"""The authorities that sign blocks in turn (proof of authority), by Ed25519 or the quantum-resistant ML-DSA-44.

Ed25519: Josefsson and Liusvaara, RFC 8032 (2017). ML-DSA: NIST FIPS 204 (2024), doi:10.6028/NIST.FIPS.204. A simulated
authority draws its key from the run's seed, so anyone who knows the seed can sign for it: the signatures show what
signing costs and that a file is whole, not who made it. Give `Authorities` keys of your own for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, Protocol

from sunshare_sim.errors import LedgerError, describe, did_you_mean

Scheme = Literal["ed25519", "ml-dsa-44"]
SIGNATURE_BYTES: Final = {"ed25519": 64, "ml-dsa-44": 2420}
MOST_AUTHORITIES: Final = 5


class Verifier(Protocol):
    """Check signatures."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise when the signature is not one over `data`."""


class Signer(Protocol):
    """Make signatures."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature over `data`."""


@dataclass(frozen=True)
class Authorities:
    """Sign blocks in rotation: block n is signed by authority n modulo their number.

    Attributes
    ----------
    scheme : str
        ``ed25519`` (the same bytes each time) or ``ml-dsa-44`` (as `cryptography` makes it each signature is random, so
        signed files differ from run to run; the hashes of the chain do not).
    public_keys : tuple of bytes
        Raw public keys, in order.
    signers : tuple of Signer
        The private keys.
    """

    scheme: Scheme
    public_keys: tuple[bytes, ...]
    signers: tuple[Signer, ...]

    @classmethod
    def from_seed(cls, seed: int, count: int = 1, scheme: Scheme = "ed25519") -> "Authorities":
        """Return authorities whose keys follow from a run's seed."""
        check_scheme(scheme)
        if not 1 <= count <= MOST_AUTHORITIES:
            raise LedgerError(
                describe(
                    "not a number of authorities", where="settlement.authorities", got=count,
                    expected=f"1..{MOST_AUTHORITIES}",
                )
            )  # fmt: skip
        secrets = (sha256(f"SunShare authority/{seed}/{number}".encode()).digest() for number in range(count))
        return cls.from_secrets(tuple(secrets), scheme)

    @classmethod
    def from_secrets(cls, secrets: Sequence[bytes], scheme: Scheme = "ed25519") -> "Authorities":
        """Return authorities with the given 32-byte secrets."""
        pairs = [_key(secret, scheme) for secret in secrets]
        return cls(scheme, tuple(public for _, public in pairs), tuple(signer for signer, _ in pairs))

    def sign(self, number: int, data: bytes) -> bytes:
        """Return the signature of block `number` over `data`."""
        return self.signers[number % len(self.signers)].sign(data)


def check_scheme(scheme: str) -> None:
    """Refuse a signature scheme nobody knows."""
    if scheme not in SIGNATURE_BYTES:
        hint, expected = did_you_mean(scheme, SIGNATURE_BYTES), ", ".join(SIGNATURE_BYTES)
        raise LedgerError(
            describe(
                "unknown signature", where="settlement.signature", got=scheme, expected=expected, hint=hint
            )
        )


def load_verifier(public_key: bytes, scheme: str) -> Verifier:
    """Return what checks signatures of a public key."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

    check_scheme(scheme)
    if scheme == "ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(public_key)
    return mldsa.MLDSA44PublicKey.from_public_bytes(public_key)


def is_signed(verifier: Verifier, signature: bytes, data: bytes) -> bool:
    """Return whether a signature holds."""
    from cryptography.exceptions import InvalidSignature

    try:
        verifier.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _key(secret: bytes, scheme: Scheme) -> tuple[Signer, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

    if scheme == "ed25519":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        return key, key.public_key().public_bytes_raw()
    quantum = mldsa.MLDSA44PrivateKey.from_seed_bytes(secret)
    return quantum, quantum.public_key().public_bytes_raw()
