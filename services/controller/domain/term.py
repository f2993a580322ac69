"""Who is active: the holder of the fleet's lease, for a term that is numbered."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.message import Value


class Term(Value):
    """A number that grows with every controller that becomes active."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The controller that is active."""

    term: int
    node: str
    #: Its process, such as `controller-4711-a1b2c3`.
    process: str

    def __str__(self) -> str:
        """Write it as the lease has it."""
        return f"{self.term} {self.node} {self.process}"

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """Read what the lease has; None for what is none."""
        term, _, rest = text.partition(" ")
        node, _, process = rest.partition(" ")
        if not term.isdigit() or not node or not process:
            return None
        return cls(term=int(term), node=node, process=process)
