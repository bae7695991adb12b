"""The figures of the code: a counter that misses what it counts praises whatever is written."""

import textwrap
from pathlib import Path

import pytest

from benchmarks import counts
from benchmarks.source import Module
from benchmarks.unused import unused


def of(text: str, path: str = "pstl/ops/a.py") -> list[Module]:
    return [Module(Path(path), textwrap.dedent(text))]


@pytest.mark.parametrize(
    ("counter", "text", "value"),
    [
        (counts.long_lines, "a = 1\nb = '" + "x" * 100 + "'\n", 1),
        (counts.longest_function, "def f():\n    a = 1\n\n    return a\n", 4),
        (counts.many_parameters, "def f(a, b, c, d, e, f, *, g): ...\n", 1),
        (counts.many_parameters, "class A:\n    def f(self, a, b, c, d, e, f): ...\n", 0),
        (counts.hooks, "hasattr(a, 'b')\ngetattr(a, 'b', None)\ngetattr(a, 'b')\n", 2),
        (counts.hooks, "import os\nhasattr(os, 'pidfd_open')\n", 0),
        (counts.foreign_privates, "from pstl.data._b import c\n", 1),
        (counts.foreign_privates, "from pstl.data import _b\n", 1),
        (counts.foreign_privates, "from pstl.ops import _b\nfrom pstl.ops._c import d\n", 0),
        (counts.comprehensions, "a = [b for b in c]\n" + "d = 1\n" * 9, 100),
        (counts.nested_comprehensions, "[[b for b in c] for c in d]\n" + "d = 1\n" * 9, 100),
        (counts.nested_comprehensions, "[b for c in d for b in c]\n" + "d = 1\n" * 9, 100),
        (counts.conditional_expressions, "a = b if c else d\n" + "d = 1\n" * 9, 100),
        (counts.documented, 'def f():\n    """."""\ndef g(): ...\ndef _h(): ...\n', 50),
        (counts.with_shapes, "def f(x: Tensor):\n    '''x: (N, D).'''\n", 100),
        (counts.with_shapes, "def f(x: Tensor):\n    '''Of a clip.'''\n", 0),
    ],
)
def test_a_counter_counts(counter, text, value):
    """Each in a case where the answer is plain."""
    assert counter(of(text)).value == value


def test_verbs_have_as_many_parameters_as_flags():
    """A verb's parameters are the flags that a user may type, and not a caller's burden."""
    verb = of("def f(a, b, c, d, e, f, g): ...\n", "pstl/commands/a.py")
    assert counts.many_parameters(verb).value == 0


def test_what_only_tests_use_is_named(tmp_path):
    """Used by the workflow, by an import, as an attribute, or only by what is unused itself."""
    files = {
        "pstl/a.py": "def used(): ...\ndef dead(): helper()\ndef helper(): ...\ndef ruled(): ...\n",
        "pstl/b.py": "from pstl import a\ndef main(): a.used()\n",
        "pstl/methods/c.py": "def hook(): ...\ndef other(): ...\n",
        "pstl/d.py": "def main(plug_in): plug_in.hook()\ndef used(): ...\n",
        "workflow/rules/e.smk": "rule x:\n    params: ruled\n",
        "tests/test_a.py": "from pstl.a import dead\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    names = {definition.key for definition in unused(tmp_path)}
    assert names == {"pstl.a.dead", "pstl.a.helper", "pstl.methods.c.other", "pstl.d.used"}
