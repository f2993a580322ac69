"""A lease in Redis, and the fence that keeps whoever has lost it from acting.

The fence is Redis' own: a command is appended to its stream in the same step in which the lease is
looked at. A process that was stopped for a while, and does not know yet that another has taken
over, can send nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.bus.connection import Words

_FENCED = "FENCED"

_ADD_IF_HELD = f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return redis.error_reply('{_FENCED} the lease is not held by the sender')
end
return redis.call('XADD', KEYS[1], unpack(ARGV, 2))
"""

#: ARGV: what is to be held, the milliseconds it is good for, a pattern of those it takes over from.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held == false or held == ARGV[1] or string.find(held, ARGV[3], 1, true) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]
end
return held
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What the lease must have for a command to be sent."""

    key: str
    value: str

    def adding_to(self, stream: str) -> Words:
        """Return the beginning of an XADD that happens only while the lease is held."""
        return ("EVAL", _ADD_IF_HELD, 2, stream, self.key, self.value)


def is_fenced(answer: object) -> bool:
    """Tell whether Redis took nothing because the lease is not held."""
    return isinstance(answer, Exception) and str(answer).startswith(_FENCED)


def take(fence: Fence, *, ttl_s: float, in_place_of: str) -> Words:
    """Return the command that takes or renews the lease and answers with who has it.

    It is taken from nobody, from ourselves, and from a holder in whose value *in_place_of* stands.
    """
    return ("EVAL", _TAKE, 1, fence.key, fence.value, int(ttl_s * 1000), in_place_of)


def release(fence: Fence) -> Words:
    """Return the command that lets the lease go if it is held."""
    return ("EVAL", _RELEASE, 1, fence.key, fence.value)
