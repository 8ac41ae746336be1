"""What an expression inside a function may refer to that was there before the call."""

from dataclasses import dataclass, field
from enum import Enum, auto


class Kind(Enum):
    """What an expression refers to."""

    LOCAL = auto()
    """Made by the call that runs, as far as the source tells."""
    CONTAINER = auto()
    """A list, dictionary or set that lasts."""
    ITERATOR = auto()
    """One that lasts and remembers how far it was read."""
    OBJECT = auto()
    """Anything else that lasts."""
    NAMED = auto()
    """A function, or what another module defines."""
    CLASS = auto()
    INSTANCE = auto()
    """Of a class of this module: `self`."""


@dataclass(frozen=True, slots=True)
class ClassAttributes:
    """`shared`: containers and iterators of the class; `own`: set by methods on each instance.

    A contract is made once, so what its methods set is shared by its transactions, too.
    """

    is_contract: bool = False
    shared: dict[str, Kind] = field(default_factory=dict)
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Referent:
    """A kind and, for a class and its instances, the attributes."""

    kind: Kind
    of: ClassAttributes = field(default_factory=ClassAttributes)

    def attribute(self, name: str) -> "Referent":
        """What `.name` of it refers to."""
        match self.kind:
            case Kind.LOCAL | Kind.NAMED:
                return self
            case Kind.INSTANCE if name == "__class__":
                return Referent(Kind.CLASS, self.of)
            case Kind.INSTANCE if not self.of.is_contract:
                is_shared = name in self.of.shared and name not in self.of.own
                return Referent(self.of.shared[name]) if is_shared else LOCAL
        return Referent(self.of.shared.get(name, Kind.OBJECT))

    def element(self) -> "Referent":
        """What `[…]` of it refers to."""
        return self if self.kind in {Kind.LOCAL, Kind.NAMED} else Referent(Kind.OBJECT)

    @property
    def keeps_attributes(self) -> bool:
        """Whether what is set on it lasts: contracts are made once, other objects by calls."""
        if self.kind is Kind.INSTANCE:
            return self.of.is_contract
        return self.kind is not Kind.LOCAL


LOCAL = Referent(Kind.LOCAL)
