"""Letting a changes stream forget what all have read: Redis holds it in memory."""

from __future__ import annotations

from collections.abc import Collection

from shared.bus.connection import Words

#: Deletes what lies before ARGV[1], but nothing that a group has not settled, and nothing at all
#: while one of the readers, ARGV[2] and on, has no group: it begins at what is there.
_TRIM = """
if redis.call('EXISTS', KEYS[1]) == 0 then
    return 0
end
local before, absent = tonumber(ARGV[1]), {}
for at = 2, #ARGV do
    absent[ARGV[at]] = true
end
for _, said in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for at = 1, #said, 2 do
        group[said[at]] = said[at + 1]
    end
    local pending = redis.call('XPENDING', KEYS[1], group['name'])
    local settled = pending[1] > 0 and pending[2] or group['last-delivered-id']
    before = math.min(before, tonumber(string.match(settled, '^%d+')))
    absent[group['name']] = nil
end
if before <= 0 or next(absent) then
    return 0
end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f-0', before))
"""


def trim(stream: str, before: int, readers: Collection[str]) -> Words:
    """Return the command that deletes entries below *before* that all groups settled.

    *before* is the first number of an id: of a relay's own numbers, or of milliseconds.

    *readers* are the groups that must be there; others that are there are waited for, too.
    """
    return ("EVAL", _TRIM, 1, stream, before, *readers)
