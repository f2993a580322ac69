"""Whether a signature is valid under a rule, and what to say of those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from services.pull.domain.cosign import Claim, Signature
from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import TrustRule, repository_of
from shared import errdefs
from shared.oci import reference
from shared.oci.digest import Digest
from shared.oci.reference import Reference


class Fault(IntEnum):
    """What is wrong with a signature; the higher, the more it tells a person."""

    UNREADABLE = 0
    UNKNOWN_KEY = 1
    OTHER_CLAIM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a signature does not count."""

    fault: Fault
    why: str


def judge(
    signature: Signature, *, rule: TrustRule, ref: Reference, digest: Digest
) -> PublicKey | Refusal:
    """Return the key that signed *digest*, or why the signature is none of it under *rule*."""
    key = next((one for one in rule.keys if one.verifies(signature.value, signature.signed)), None)
    if key is None:
        why = "a signature is by none of the policy's keys, or of content that was changed"
        return Refusal(fault=Fault.UNKNOWN_KEY, why=why)
    try:
        fault = _fault(signature.claim(), rule, ref, digest)
    except errdefs.InvalidArgument as error:
        fault = f"claims what is not understood: {error.message}"
    if fault:
        return Refusal(fault=Fault.OTHER_CLAIM, why=f"the signature by key {key.short} {fault}")
    return key


def unreadable(why: str) -> Refusal:
    """Return the refusal of what could not even be read."""
    return Refusal(fault=Fault.UNREADABLE, why=f"a signature can't be read: {why}")


def why_none(refusals: list[Refusal]) -> str:
    """Return the most telling reason why no signature is valid."""
    if not refusals:
        return "it has no signature"
    return max(refusals, key=lambda refusal: refusal.fault).why


def _fault(claim: Claim, rule: TrustRule, ref: Reference, digest: Digest) -> str:
    """Return what is wrong with a claim whose signature is valid; nothing is the empty text."""
    if digest not in claim.digests:
        return f"is of another digest, {', '.join(sorted(claim.digests)) or 'none'}"
    if rule.match_reference and not _names(claim.reference, ref):
        return f"is for {claim.reference or 'no reference'}, and the policy wants it to match"
    return ""


def _names(text: str, ref: Reference) -> bool:
    """Say whether a signature's reference is the one that was asked for.

    It mostly names the repository alone. A tag must be the one asked for, if that was one.
    """
    try:
        named = reference.parse(text)
    except errdefs.InvalidArgument:
        return False
    is_other_tag = bool(named.tag and ref.tag) and named.tag != ref.tag
    return repository_of(named) == repository_of(ref) and not is_other_tag
