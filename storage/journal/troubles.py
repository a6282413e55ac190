"""What is wrong with entries, as data: how often, and the first ones with their positions."""

from dataclasses import dataclass, field

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong at a position, in words."""

    position: int
    text: str


@dataclass
class Troubles:
    """What is wrong of one kind: how many times, and the first ones."""

    total: int = 0
    first: list[Trouble] = field(default_factory=list)

    def add(self, position: int, text: str) -> None:
        """Note one."""
        self.total += 1
        if len(self.first) < SHOWN:
            self.first.append(Trouble(position, text))
