"""What cosign writes, read as its specifications say."""

from __future__ import annotations

from services.pull.domain import cosign, verification
from services.pull.domain.cosign import BundledSignature
from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import TrustMode, TrustRule
from shared.oci import reference
from shared.oci.digest import Digest
from tests.support import signing

_DIGEST = Digest("sha256:97fc222cee7991b5b061d4d4afdb5f3428fcb0c9054e1690313786befa1e4e36")
#: Written by cosign itself, and kept by containers/image as a sample.
_PEM = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFNLqFhf4fiN6o/glAuYnq2jYUeL0
vRuLu/z39pmbVwS9ff5AYnlwaP9sxREajdLY9ynM6G1sy6AAmb7Z63TsLg==
-----END PUBLIC KEY-----
"""
_SIGNED = Digest("sha256:634a8f35b5f16dcf4aaa0822adc0b1964bb786fca12f6831de8ddc45e5986a00")
_NAME = "192.168.64.2:5000/cosign-signed-single-sample"
_SIGNATURE = (
    "MEYCIQDmtamqYPjMg81nqeBhptrPls44aA/r7PwLmspINJY4MwIhANKRpqe2E9UCBtGFdPoz"
    "/8jAbaQm4uP4h+IpwKTE6ClR"
)


def test_the_tag_is_made_of_the_digest() -> None:
    """Cosign's own example: where signatures of a digest lie."""
    assert cosign.tag_of(_DIGEST) == f"sha256-{_DIGEST.hex}.sig"


def test_an_envelope_is_signed_with_its_type_and_lengths() -> None:
    """DSSE's own example of the bytes that are signed."""
    signature = BundledSignature(
        value=b"", payload_type="http://example.com/HelloWorld", payload=b"hello world"
    )

    assert signature.signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_signature_that_cosign_wrote_holds() -> None:
    """The bytes that the tests sign are the ones that cosign signs, and its signature is valid."""
    layer = signing.raw(signing.payload(_SIGNED, reference=_NAME), _SIGNATURE)
    key = PublicKey.from_pem(_PEM, name="cosign.pub")
    rule = TrustRule(prefix="", mode=TrustMode.REQUIRE, keys=(key,), match_reference=True)

    signature = cosign.read(layer.descriptor, layer.body)

    ref = reference.parse(_NAME)
    assert verification.judge(signature, rule=rule, ref=ref, digest=_SIGNED) == key
