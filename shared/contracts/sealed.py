"""What only one service of the node can open."""

from shared.contracts.message import Value


class Sealed(Value):
    """Bytes that only the owner of a key of this node can open, bound to a subject."""

    #: Base64 of an X25519 sealed box.
    box: str


class SealedSecret(Value):
    """A secret of plugins, for the executor's eyes only."""

    name: str
    sealed: Sealed


def subject_of(secret_name: str) -> str:
    """Return what a secret's box is bound to: it opens under no other name."""
    return f"secret/{secret_name}"
