"""What holds for all unit tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says how busy the machine is: pytest's own timeout is enough.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
