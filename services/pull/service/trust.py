"""Checks who signed a plugin, before anything of it is fetched."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog

from services.pull.domain import cosign, status, verification
from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import TrustMode, TrustPolicy, TrustRule
from services.pull.domain.verification import Refusal
from services.pull.ports import Clock, Registries, Repository, TrustPolicies
from services.pull.service import spans
from services.pull.service.attempt import Attempt
from services.pull.service.resolving import prefixed
from services.pull.service.signatures import MOST_FETCHES, Found, SignatureSearch
from shared import errdefs
from shared.contracts.plugin import Signer
from shared.oci.digest import Digest
from shared.oci.reference import Reference

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The node's trust policy, put to use."""

    policies: TrustPolicies
    registries: Registries
    clock: Clock = time.time_ns

    async def check(
        self, attempt: Attempt, ref: Reference, repository: Repository, digest: Digest
    ) -> tuple[Signer, ...]:
        """Return who signed *digest*, of those whom the policy trusts, and tell of them.

        Raises PermissionDenied where the policy requires a signature and none is valid;
        Unavailable where the policy can't be read, or the registry keeps signatures back.
        """
        policy = self._policy()
        rule = policy.rule_for(ref)
        if rule.mode is TrustMode.IGNORE:
            return ()
        with spans.step("verify", {"oci.reference": str(ref), "wherry.trust.mode": rule.mode}):
            found = await self._search(attempt, ref, repository, digest).run()
            verdicts = [
                verification.judge(signature, rule=rule, ref=ref, digest=digest)
                for signature in found.signatures
            ]
            keys = {one.fingerprint: one for one in verdicts if isinstance(one, PublicKey)}
            if not keys:
                found.refusals += (one for one in verdicts if isinstance(one, Refusal))
                _unsigned(attempt, _Case(policy=policy, rule=rule, ref=ref, digest=digest), found)
        for key in keys.values():
            attempt.lines.say(status.verified_by(key.short))
        return tuple(self._signer(key, digest) for key in keys.values())

    def _policy(self) -> TrustPolicy:
        try:
            return self.policies.current()
        except errdefs.InvalidArgument as error:
            raise errdefs.Unavailable(
                f"nothing is pulled while it is unknown what to trust: {error.message}",
                detail=error.detail,
            ) from error

    def _search(
        self, attempt: Attempt, ref: Reference, repository: Repository, digest: Digest
    ) -> SignatureSearch:
        tagged = self.registries.repository(
            replace(ref, tag=cosign.tag_of(digest), digest=None),
            auth=attempt.auth,
            meta_headers=attempt.taken.request.meta_headers,
        )
        return SignatureSearch(digest=digest, repository=repository, tagged=tagged)

    def _signer(self, key: PublicKey, digest: Digest) -> Signer:
        return Signer(
            key=f"sha256:{key.fingerprint}",
            name=key.name,
            digest=digest,
            verified_at_ns=self.clock(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What was asked of whom."""

    policy: TrustPolicy
    rule: TrustRule
    ref: Reference
    digest: Digest

    @property
    def scope(self) -> str:
        return self.rule.prefix or "all repositories"


def _unsigned(attempt: Attempt, case: _Case, found: Found) -> None:
    """Warn of a plugin that has no valid signature, or refuse it."""
    why = _why(found)
    if case.rule.mode is TrustMode.WARN:
        text = f"{case.ref} ({case.digest}) has no valid signature: {why}"
        attempt.lines.say(f"Warning: {text}")
        log.warning("plugin not signed", reference=str(case.ref), digest=case.digest, reason=why)
        return
    for error in found.errors:
        if error.retryable:
            raise prefixed(error, f"error looking for signatures of {case.ref}")
    raise errdefs.PermissionDenied(
        f"{case.ref} ({case.digest}) is refused by the trust policy for {case.scope}: {why}: sign "
        f"it with a key of the policy, as `cosign sign --key` does, or change {case.policy.source}",
        detail={"reference": str(case.ref), "digest": case.digest, "prefix": case.rule.prefix},
    )


def _why(found: Found) -> str:
    parts = [verification.why_none(found.refusals)]
    if found.is_cut:
        parts.append(f"only the first {MOST_FETCHES} manifests and signatures were looked at")
    parts += (f"not all could be looked at ({error.message})" for error in found.errors)
    return "; ".join(parts)
