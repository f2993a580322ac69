from __future__ import annotations

from docs import dockerd_options, generate


def test_page_of_messages_is_what_the_contracts_say() -> None:
    """messages.md is not stale: `python -m docs.generate` would write the same."""
    assert generate.PAGE.read_text() == generate.page()


def test_commands_name_their_reply_and_their_fields_with_comments() -> None:
    """A command's entry says what answers it, and each field's type, default and comment."""
    entry = generate.page().split("### `store.plugin.enable.v1`")[1].split("###")[0]
    assert "its reply is `store.plugin.reply.v1`" in entry
    assert "| `name` | `str` | required | |" in entry
    assert (
        "| `timeout_s` | `int` | `0` | Seconds until it must be ready; 0: the node's default. |"
        in entry
    )


def test_page_of_dockerd_is_what_the_table_says() -> None:
    """dockerd.md is not stale: `python -m docs.dockerd_options` would write the same."""
    assert dockerd_options.PAGE.read_text() == dockerd_options.page()
