"""The file of the trust policy: read, refused with its reason, read again when it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.pull.adapters.trust_file import TrustFile
from services.pull.domain.trust_policy import TrustMode, TrustRule
from shared import errdefs
from shared.oci import reference
from tests.support import signing


def write(folder: Path, *rules: Any) -> Path:
    """Write a policy, in place of the one that was there."""
    new = folder / "new"
    new.write_text(json.dumps(rules))
    return new.rename(folder / "trust.json")


def rule_of(policies: TrustFile, name: str = "reg.test/team/p") -> TrustRule:
    """Return the rule for a name as it is now."""
    return policies.current().rule_for(reference.parse(name))


def refused(path: Path) -> str:
    """Return why a policy is refused, without what it is and what to do."""
    with pytest.raises(errdefs.InvalidArgument) as error:
        TrustFile(path, must_exist=True).current()
    before, after = f"trust policy {path}: ", ": mend it, or remove it to ask for no signatures"
    text = error.value.message
    assert text.startswith(before)
    assert text.endswith(after)
    return text[len(before) : -len(after)]


def test_keys_are_files_or_written_out(tmp_path: Path) -> None:
    """A key is a path, beside the policy where it is relative, or PEM; it may be given a name."""
    keys = [signing.ecdsa_key() for _ in range(4)]
    (tmp_path / "a.pub").write_bytes(keys[0].pem)
    (tmp_path / "b.pub").write_bytes(keys[1].pem)
    written = write(
        tmp_path,
        {
            "prefix": "reg.test/team",
            "mode": "require",
            "keys": [
                "a.pub",
                {"name": "release", "key": str(tmp_path / "b.pub")},
                keys[2].pem.decode(),
                {"name": "robin", "key": keys[3].pem.decode()},
            ],
            "match_reference": True,
        },
    )

    rule = rule_of(TrustFile(written, must_exist=True))

    assert (rule.prefix, rule.mode, rule.match_reference) == (
        "reg.test/team",
        TrustMode.REQUIRE,
        True,
    )
    assert [key.name for key in rule.keys] == ["a.pub", "release", "key 3", "robin"]
    assert [key.fingerprint for key in rule.keys] == [key.fingerprint for key in keys]


def test_no_file_asks_for_nothing_unless_it_was_named(tmp_path: Path) -> None:
    """The policy's usual place may be empty; a file that somebody named must be there."""
    path = tmp_path / "trust.json"

    assert rule_of(TrustFile(path, must_exist=False)).mode is TrustMode.IGNORE
    assert refused(path) == "it does not exist"


def test_a_change_is_seen_at_the_next_look(tmp_path: Path) -> None:
    """A policy that appears, changes, or whose key changes holds without a restart."""
    path, key = tmp_path / "trust.json", signing.ecdsa_key()
    policies = TrustFile(path, must_exist=False)
    (tmp_path / "k.pub").write_bytes(key.pem)

    assert rule_of(policies).mode is TrustMode.IGNORE
    write(tmp_path, {"prefix": "reg.test", "mode": "warn", "keys": ["k.pub"]})
    assert rule_of(policies).mode is TrustMode.WARN
    write(tmp_path, {"prefix": "reg.test", "mode": "require", "keys": ["k.pub"]})
    assert rule_of(policies).mode is TrustMode.REQUIRE
    assert rule_of(policies).keys[0].fingerprint == key.fingerprint
    other = signing.ecdsa_key()
    (tmp_path / "k.pub").write_bytes(other.pem)
    os.utime(tmp_path / "k.pub", ns=(1, 1))
    assert rule_of(policies).keys[0].fingerprint == other.fingerprint
    path.unlink()
    assert rule_of(policies).mode is TrustMode.IGNORE


def test_an_unchanged_policy_is_not_read_again(tmp_path: Path) -> None:
    """A look at a policy that did not change returns the very same one."""
    policies = TrustFile(write(tmp_path), must_exist=True)

    assert policies.current() is policies.current()


def test_a_bad_change_stays_bad_until_it_is_mended(tmp_path: Path) -> None:
    """The policy from before a bad change is not used any more, however often one looks."""
    path = write(tmp_path, {"prefix": "", "mode": "ignore"})
    policies = TrustFile(path, must_exist=True)
    policies.current()
    write(tmp_path, {"prefix": "", "mode": "requires"})

    for _ in range(2):
        with pytest.raises(errdefs.InvalidArgument, match="requires"):
            policies.current()
    write(tmp_path, {"prefix": "", "mode": "ignore"})
    assert rule_of(policies).mode is TrustMode.IGNORE


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"prefix": "", "mode": "require"}, "rule for all repositories: mode require needs keys"),
        (
            {"prefix": "reg.test", "mode": "maybe"},
            "rule for reg.test: mode 'maybe' is none of ignore, warn, require",
        ),
        ({"mode": "ignore"}, "0.prefix: Field required"),
        ({"prefix": "reg.test"}, "0.mode: Field required"),
        (
            {"prefix": "reg.test", "mode": "ignore", "kays": []},
            "0.kays: Extra inputs are not permitted",
        ),
        ({"prefix": "", "mode": "ignore", "match_reference": "no"}, "0.match_reference: "),
        ({"prefix": "team", "mode": "ignore"}, "rule for team: 'team' names no registry"),
        (
            {"prefix": "reg.test", "mode": "warn", "keys": ["gone.pub"]},
            "gone.pub can't be read: No such file or directory",
        ),
        (
            {"prefix": "reg.test", "mode": "warn", "keys": ["trust.json"]},
            "trust.json: no public key that can be read: give a public key in PEM",
        ),
        (
            {"prefix": "", "mode": "warn", "keys": ["-----BEGIN PUBLIC KEY-----"]},
            "rule for all repositories: key 1: no public key that can be read",
        ),
    ],
)
def test_a_bad_rule_is_named(tmp_path: Path, rules: dict[str, Any], why: str) -> None:
    """Whoever wrote the file hears which rule is wrong, and how."""
    assert why in refused(write(tmp_path, rules))


def test_two_rules_for_one_prefix_are_refused(tmp_path: Path) -> None:
    """The same prefix, however written, may not be given two rules."""
    twice = ({"prefix": name, "mode": "ignore"} for name in ("reg.test/p", "REG.test:443/p/"))

    assert refused(write(tmp_path, *twice)) == "there are two rules for REG.test:443/p/"


@pytest.mark.parametrize("text", ["", "{}", "[", '{"rules": []}', "null"])
def test_what_is_no_list_of_rules_is_refused(tmp_path: Path, text: str) -> None:
    """A file of another form is refused rather than read as one without rules."""
    path = tmp_path / "trust.json"
    path.write_text(text)

    assert refused(path)


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    """What can't be read at all is refused with the system's reason."""
    assert refused(tmp_path) == "it can't be read: Is a directory"
