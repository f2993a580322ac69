"""Docker's reference grammar and normal form."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.oci import reference
from shared.oci.digest import Digest
from shared.oci.reference import Reference

HEX = "0123456789abcdef" * 4
SHA = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("value", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
        ("library/busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/library/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
        ("vieux/sshfs", "docker.io/vieux/sshfs", "vieux/sshfs"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:v1", "localhost:5000/a:v1", "localhost:5000/a:v1"),
        ("127.0.0.1:5000/tap/vol:v1", "127.0.0.1:5000/tap/vol:v1", "127.0.0.1:5000/tap/vol:v1"),
        ("[fc00::1]:5000/a", "[fc00::1]:5000/a", "[fc00::1]:5000/a"),
        ("[fc00::1]/a", "[fc00::1]/a", "[fc00::1]/a"),
        ("example.com/a/b/c", "example.com/a/b/c", "example.com/a/b/c"),
        ("Uppercase/a", "Uppercase/a", "Uppercase/a"),
        ("sub-dom1.foo.com/bar/baz/quux:tag", *["sub-dom1.foo.com/bar/baz/quux:tag"] * 2),
        (f"a@{SHA}", f"docker.io/library/a@{SHA}", f"a@{SHA}"),
        (f"a:t@{SHA}", f"docker.io/library/a:t@{SHA}", f"a:t@{SHA}"),
        ("a__b", "docker.io/library/a__b", "a__b"),
        ("a---b", "docker.io/library/a---b", "a---b"),
        ("a.b-c_d", "docker.io/library/a.b-c_d", "a.b-c_d"),
        ("a:_T.a-G", "docker.io/library/a:_T.a-G", "a:_T.a-G"),
        ("a/b:" + "t" * 128, "docker.io/a/b:" + "t" * 128, "a/b:" + "t" * 128),
        (HEX[:63], f"docker.io/library/{HEX[:63]}", HEX[:63]),
        (f"{HEX}/a", f"docker.io/{HEX}/a", f"{HEX}/a"),
        ("xn--n3h.com/a", "xn--n3h.com/a", "xn--n3h.com/a"),
    ],
)
def test_a_name_has_one_normal_and_one_familiar_form(value: str, full: str, familiar: str) -> None:
    """Docker's default domain and library folder are added, and left out for people."""
    ref = reference.parse(value)

    assert (str(ref), ref.familiar) == (full, familiar)
    assert reference.parse(ref.familiar) == ref


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a@", "invalid reference format"),
        ("a@sha256:abc", "invalid reference format"),
        ("a/", "invalid reference format"),
        ("/a", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-foo/bar", "invalid reference format"),
        ("foo/bar-", "invalid reference format"),
        ("foo..bar", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("https://github.com/docker/docker", "invalid reference format"),
        ("a:-tag", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("[::1/a", "invalid reference format"),
        ("é", "invalid reference format"),
        ("a:٣", "invalid reference format"),
        (
            "Busybox",
            "invalid reference format: repository name (library/Busybox) must be lowercase",
        ),
        ("a/B:t", "invalid reference format: repository name (a/B) must be lowercase"),
        ("h.io/A", "invalid reference format: repository name (A) must be lowercase"),
        (
            HEX,
            f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings",
        ),
        ("a/" * 128 + "a", "repository name must not be more than 255 characters"),
        (f"a@sha256:{HEX[:40]}", "invalid checksum digest length"),
        (f"a@sha512:{HEX}{HEX}", "unsupported digest algorithm"),
    ],
)
def test_a_bad_name_is_refused_in_dockers_words(value: str, message: str) -> None:
    """Every malformed name is refused, and the text is Docker's."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        reference.parse(value)

    assert raised.value.message == message
    assert raised.value.docker_unclassed


def test_the_path_may_have_255_characters_beside_its_domain() -> None:
    """The length limit counts the path alone."""
    path = "a" * 255

    assert reference.parse(f"example.com:5000/{path}").path == path


def test_default_tag_is_added_only_where_nothing_is_given() -> None:
    """A bare name gets latest; a tag or a digest stays as it is."""
    assert reference.parse("a").with_default_tag().familiar == "a:latest"
    assert reference.parse("a:1").with_default_tag().familiar == "a:1"
    assert reference.parse(f"a@{SHA}").with_default_tag().familiar == f"a@{SHA}"


def test_tag_and_digest_can_be_told_and_taken_off() -> None:
    """A reference knows whether it is tagged or canonical, and can be changed to either."""
    ref = reference.parse(f"a:1@{SHA}")

    assert (ref.is_tagged, ref.is_canonical, ref.digest) == (True, True, Digest(SHA))
    assert ref.without_digest().familiar == "a:1"
    assert ref.with_tag("2").tag == "2"
    with pytest.raises(errdefs.InvalidArgument, match="invalid tag format"):
        ref.with_tag("no/tag")


@pytest.mark.parametrize(
    ("remote", "alias", "fetched", "local"),
    [
        ("a/b", "", "docker.io/a/b:latest", "a/b:latest"),
        ("h:5/a:v1", "", "h:5/a:v1", "h:5/a:v1"),
        ("h:5/a:v1", "vol", "h:5/a:v1", "vol:latest"),
        ("h:5/a:v1", "docker.io/library/vol:2", "h:5/a:v1", "vol:2"),
        (f"a/b@{SHA}", "", f"docker.io/a/b@{SHA}", "a/b:latest"),
        (f"a/b:v2@{SHA}", "", f"docker.io/a/b@{SHA}", "a/b:v2"),
    ],
)
def test_local_name_follows_the_pull_rules(
    remote: str, alias: str, fetched: str, local: str
) -> None:
    """A digest says what is fetched, and the tag beside it only the familiar, tagged local name."""
    ref, name = reference.local_name(remote, alias)

    assert (str(ref), name) == (fetched, local)


def test_an_alias_with_a_digest_is_refused() -> None:
    """A plugin's own name never carries a digest."""
    with pytest.raises(errdefs.InvalidArgument, match="cannot use digest in plugin tag"):
        reference.local_name("a", f"b@{SHA}")


def test_identifiers_are_64_lower_case_hex_digits() -> None:
    """Only a whole id counts as one."""
    assert reference.is_identifier(HEX)
    assert not reference.is_identifier(HEX.upper())
    assert not reference.is_identifier(HEX[:12])


def test_references_are_values() -> None:
    """Two references of the same parts are equal and hash alike."""
    assert len({reference.parse("a"), reference.parse("docker.io/library/a")}) == 1
    assert reference.parse("a") == Reference(domain="docker.io", path="library/a")
