"""What a contract remembers between transactions is found; what a call makes is left alone."""

import textwrap

import pytest

from chaincode.shim.determinism import findings, module_findings

MODULE = """
import functools
import heapq
import itertools
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import ledgerbook
from ledgerbook import LIMITS, orders
from chaincode.shim import Contract

SEEN = []
COUNT: dict[str, int] = {}
RECENT = deque(maxlen=3)
NEXT = itertools.count()
SQUARES = (n * n for n in range(9))
MISSING = object()
BOOK = ledgerbook.Book()
RATES = {"day": 30, "night": 20}
RATES["noon"] = 25
for hour in range(24):
    SEEN.append(hour)

class Order:
    by_id = {}
    tags = set()

    def __init__(self):
        self.parts = []

class Det(Contract):
    cache = {}
    ids = itertools.count()

    def __init__(self):
        self.cache["first"] = 1
        self.books = []

"""


def found_in(code: str, where: str = "function") -> list[tuple[str, str]]:
    """(rule, message) of what is found in the code as a body of a function or method."""
    heads = {
        "module": "",
        "function": "def function(ctx, x, y, *rest):\n",
        "contract": "class More(Det):\n    async def call(self, ctx, x):\n",
        "order": "class Bid(Order):\n    def change(self, x):\n",
    }
    depth = {"module": 0, "function": 4}.get(where, 8)
    source = MODULE + heads[where] + textwrap.indent(code, " " * depth) + "\n"
    return [(finding.rule, finding.message) for finding in findings(source, "c.py")]


DATACLASS = """
from dataclasses import dataclass, field

@dataclass
class Order:
    rows: list = field(default_factory=list)

    def add(self, x):
        self.rows.append(x)
"""
LASTS = " outlives the transaction and differs between peers; keep it in state"


def test_the_sample_module_itself_has_nothing():
    assert found_in("", "module") == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("SEEN.append(x)", "SEEN"),
        ("note = SEEN.append", "SEEN"),
        ("list(map(SEEN.append, rest))", "SEEN"),
        ("SEEN.sort()", "SEEN"),
        ("SEEN[0] = x", "SEEN"),
        ("SEEN[:] = rest", "SEEN"),
        ("del SEEN[0]", "SEEN"),
        ("for SEEN[0] in rest: pass", "SEEN"),
        ("list.append(SEEN, x)", "SEEN"),
        ("heapq.heappush(SEEN, x)", "SEEN"),
        ("seen = SEEN\nseen.append(x)", "seen"),
        ("def inner():\n    SEEN.append(x)", "SEEN"),
        ("(lambda: SEEN.append(x))()", "SEEN"),
        ("global SEEN\nSEEN += [x]", "the module variable SEEN"),
        ("COUNT[x] = COUNT.get(x, 0) + 1", "COUNT"),
        ("COUNT[x] += 1", "COUNT"),
        ("COUNT[x]['n'] = 1", "COUNT[x]"),
        ("COUNT.setdefault(x, 1)", "COUNT"),
        ("COUNT.get(x).append(1)", "COUNT.get(x)"),
        ("COUNT.update({x: 1})", "COUNT"),
        ("RECENT.appendleft(x)", "RECENT"),
        ("BOOK.total = 1", "BOOK.total"),
        ("BOOK.rows.append(x)", "BOOK.rows"),
        ("setattr(BOOK, x, 1)", "BOOK"),
        ("vars(BOOK)[x] = 1", "vars(BOOK)"),
        ("function.calls = 1", "function.calls"),
        ("ledgerbook.total = 1", "ledgerbook.total"),
        ("ledgerbook.TABLE.update({x: 1})", "ledgerbook.TABLE"),
        ("LIMITS.append(x)", "LIMITS"),
        ("orders[x] = 1", "orders"),
        ("import shop\nshop.count += 1", "shop.count"),
        ("Order.by_id[x] = 1", "Order.by_id"),
        ("Det.cache.setdefault(x, 2)", "Det.cache"),
        ("Order.total = 3", "Order.total"),
        ("next(NEXT)", "how far NEXT was read"),
        ("for n in SQUARES: pass", "how far SQUARES was read"),
        ("next(BOOK)", "BOOK"),
    ],
)
def test_a_function_changes_what_the_module_keeps(code, what):
    assert found_in(code) == [("memory", what + LASTS)]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("self.cache[x] = 1", "self.cache"),
        ("self.cache.update({x: 1})", "self.cache"),
        ("del self.cache[x]", "self.cache"),
        ("type(self).cache[x] = 1", "type(self).cache"),
        ("self.__class__.total = 1", "self.__class__.total"),
        ("self.__dict__[x] = 1", "self.__dict__"),
        ("self.books.append(x)", "self.books"),
        ("self.books.remove(x)", "self.books"),
        ("self.count += 1", "self.count"),
        ("self.a, self.cache[x] = 1, 2", "self.a"),
        ("self.last.time = x", "self.last.time"),
        ("me = self\nme.count = 1", "me.count"),
        ("setattr(self, x, 1)", "self"),
        ("return next(self.ids)", "how far self.ids was read"),
        ("del self.books", "self.books"),
    ],
)
def test_a_contract_changes_what_it_or_its_class_keeps(code, what):
    assert ("memory", what + LASTS) in found_in(code, "contract")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("self.by_id[x] = self", "self.by_id"),
        ("self.tags.add(x)", "self.tags"),
        ("self.tags |= {x}", "self.tags"),
        ("Order.by_id.pop(x)", "Order.by_id"),
    ],
)
def test_an_object_changes_what_its_class_keeps(code, what):
    assert ("memory", what + LASTS) in found_in(code, "order")


@pytest.mark.parametrize(
    "source",
    [
        "class C:\n    @classmethod\n    def f(cls):\n        cls.count = 1",
        "class C:\n    def __init_subclass__(cls):\n        cls.kinds = 1",
        "class Mixin:\n    def f(self):\n        self.n = 1\nclass C(Mixin, Contract):\n    pass",
        "class Mine(Contract):\n    pass\nclass C(Mine):\n    def f(self):\n        self.n = 1",
        "def f(seen=[]):\n    pass",
        "def f(*, seen=dict()):\n    pass",
        "f = lambda seen={}: seen",
        "from collections import defaultdict\ndef f(seen=defaultdict(list)):\n    pass",
        "from functools import lru_cache\n@lru_cache(maxsize=9)\ndef f(x):\n    return x",
        "import functools\n@functools.cache\ndef f(x):\n    return x",
        "import functools\nclass C(Contract):\n    @functools.cache\n    def f(self): ...",
        "from functools import cached_property as c\nclass D(Contract):\n    @c\n    def f(s): 1",
        "def count():\n    yield 1\nN = count()\nf = lambda: next(N)",
        "if True:\n    SEEN = [0] * 5\ndef f():\n    SEEN[0] = 1",
    ],
)
def test_what_a_definition_keeps(source):
    assert [finding.rule for finding in findings(source, "c.py")] == ["memory"]


@pytest.mark.parametrize(
    "code",
    [
        "return RATES[x] + COUNT.get(x, 0) + len(SEEN) + max(SEEN)",
        "return [*SEEN, x], {**COUNT, x: 1}, SEEN + [x], sorted(SEEN), SEEN[1:], x in SEEN",
        "for rate in RATES.values(): rest = rate",
        "seen = []\nseen.append(x)\nseen[0] = 1\ndel seen[0]",
        "seen = list(SEEN)\nseen.append(x)",
        "seen = SEEN\nseen = [*seen]\nseen.append(x)",
        "SEEN = []\nSEEN.append(x)",
        "rate = RATES[x]\nrate += 1",
        "def inner(SEEN):\n    SEEN.append(x)",
        "(lambda COUNT: COUNT.update(x))({})",
        "[SEEN.append(x) for SEEN in rest]",
        "try: pass\nexcept ValueError as BOOK: BOOK.note = x",
        "match x:\n    case [*SEEN]: SEEN.append(1)\n    case {'a': y, **COUNT}: COUNT[x] = 1",
        "x.append(y)\ny[x] = 1\nx.total = 1",
        "order = Order()\norder.parts.append(x)\norder.total = 1",
        "ids = itertools.count()\nreturn next(ids)",
        "orders.add(x, y)\nledgerbook.append(x)\nledgerbook.orders.update(x)",
        "BOOK.add(x)",
        "heapq.heappush(x, y)",
        "from shop import add\nadd(x)",
        "return x is MISSING",
        "SEEN.append(x)  # deterministic: only called while the module is loaded",
    ],
)
def test_a_function_may_read_what_lasts_and_change_its_own(code):
    assert found_in(code) == []


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("row = self.cache.get(x)\nbooks = [*self.books]\nbooks.append(row)", "contract"),
        ("ctx.note = x\nctx.rows.append(x)\nctx.stub.rows[x] = 1", "contract"),
        ("self.parts.append(x)\nself.parts[0] = x\nself.total = 1\nself.total += x", "order"),
        ("self.by_id = {}\nself.by_id[x] = 1", "order"),
        ("return self.by_id[x], len(self.tags)", "order"),
    ],
)
def test_a_method_may_read_what_lasts_and_change_its_own(code, where):
    assert found_in(code, where) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(seen=(), other=None, text='', size=max(1, 2)):\n    pass",
        "ORDERS = []\ndef f(orders=ORDERS):\n    return len(orders)",
        "from functools import cached_property as c\nclass D:\n    @c\n    def f(self): ...",
        DATACLASS,
        "class C(Contract):\n    @staticmethod\n    def f(order):\n        order.total = 1",
        "class Order:\n    seen = []\n    seen.append(1)",
    ],
)
def test_definitions_that_keep_nothing(source):
    assert findings(source, "c.py") == ()


@pytest.mark.parametrize(
    "line",
    [
        "return str(object())",
        "return repr(MISSING)",
        "return f'{MISSING}'",
        "return '%s and %s' % (x, lambda: x)",
        "return '{}'.format(Plain())",
        "return str(n for n in x)",
        "return str(function)",
        "return Plain().text()",
    ],
)
def test_texts_that_show_an_address(line):
    shown = "f'{self}'" if "Plain().text" in line else "''"
    source = f"""
MISSING = object()

class Plain:
    def text(self):
        return {shown}

def function(x):
    {line}
"""
    assert [finding.rule for finding in findings(source, "c.py")] == ["identity"]


@pytest.mark.parametrize(
    "line",
    [
        "return str(x), f'{x}', repr(Described()), f'{Amount(3)}', f'{Colour.RED}'",
        "return f'{Described.name}', str(Described)",
        "return str(tuple(n for n in x))",
        "MISSING = 3\n    return f'{MISSING}'",
        "return f'{Wrong()}'",
    ],
)
def test_texts_that_show_values(line):
    source = f"""
from dataclasses import dataclass
from enum import Enum

MISSING = object()

class Described:
    name = "a"

    def __repr__(self):
        return "described"

@dataclass(frozen=True)
class Amount:
    value: int

    def text(self):
        return f"{{self}}"

class Colour(Enum):
    RED = 1

class Wrong(Exception):
    pass

def function(x):
    {line}
"""
    assert findings(source, "c.py") == ()


def test_memory_is_found_in_every_module_a_contract_reaches(tmp_path, monkeypatch):
    folder = tmp_path / "lasting_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "contracts.py").write_text("from lasting_sample.rows import note\n")
    (folder / "rows.py").write_text("SEEN = []\n\ndef note(x):\n    SEEN.append(x)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = module_findings("lasting_sample.contracts")
    assert (found.rule, found.line, found.filename.endswith("rows.py")) == ("memory", 4, True)


@pytest.mark.parametrize(
    "module",
    [
        "tests.interop.contracts.basic",
        "tests.interop.contracts.private",
        "tests.integration.fabric_shims.contract",
        "tests.integration.private_contract",
        "tests.unit.shim.deal_contract",
    ],
)
def test_contracts_of_the_tests_keep_nothing(module):
    assert [
        found for found in module_findings(module) if found.rule in {"memory", "identity"}
    ] == []
