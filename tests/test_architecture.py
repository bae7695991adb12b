"""Who may import whom (docs/architecture.md): the order that lets one read any file knowing only
what lies below it.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pstl.code_hash import PACKAGE, closure, imports

# From the bottom up; a module may import its own layer and those below. A name stands for the
# module and what is inside it.
LAYERS = (
    ("errors", "environment", "locks", "owner", "seals", "publish", "leftovers", "interruption"),
    ("files",),
    ("rng", "skeletons"),
    ("ops", "losses", "metrics"),
    ("registry",),
    ("config",),
    ("paths", "provenance", "code_hash", "orphan_guard", "located", "checkout"),
    ("data.spec",),
    ("records",),
    ("contracts",),
    ("graph",),
    ("rules", "rule_options"),
    ("modules",),
    ("simulator",),
    (
        "data.reading",
        "data.number_table",
        "data.numpy_file",
        "data.store_shape",
        "data.verified",
        "data.store",
        "data.inflate",
        "data.sevenzip",
        "data.archives",
        "data.members",
        "data.slips",
        "data.loader",
        "data.formats",
        "data.readers",
        "data.recipes",
        "data.datasets",
    ),
    ("data",),
    ("check",),
    ("backbones",),
    ("methods",),
    ("train",),
    ("importers",),
    ("encoding",),
    ("tasks",),
    ("evaluation",),
    ("hub",),
    (
        "tracking",
        "report",
        "bench_figures",
        "plan",
        "new_project",
    ),
    ("commands",),
    ("cli",),
    ("__main__",),
)
CORE = tuple(
    f"pstl.{name}"
    for name in (
        "train.pretrain",
        "evaluation.run",
        "evaluation.fuse",
        "evaluation.clip_inputs",
        "evaluation.recording_inputs",
        "encoding.features",
        "hub.embed_arrays",
        "hub.trace",
        "train.loop",
    )
)
CORE_NEEDS = {
    "torch",
    "numpy",
    "yaml",
    "pydantic",
    "pydantic_core",
    "filelock",
    "safetensors",
}  # pydantic_core comes with pydantic
# What a library reads or fetches better than we would. It is imported where that is done, and where
# it is not there the command line names the extra that has it.
READS_WITH = {
    "pstl.data.formats.utd_mat": {"scipy"},
    "pstl.data.download": {"tqdm"},
    "pstl.hub.addresses": {"huggingface_hub"},
}


def modules() -> dict[str, Path]:
    """Every module of the package, by its full name."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names[".".join(parts).removesuffix(".__init__")] = path
    return names


def layer(module: str) -> int:
    """Rank of a module; the longest name that fits decides."""
    inner = module.removeprefix("pstl.")
    fits = [
        (len(name), rank)
        for rank, names in enumerate(LAYERS)
        for name in names
        if f"{inner}.".startswith(f"{name}.")
    ]
    assert fits, f"{module} belongs to no layer: add it to LAYERS, or to a package that is there"
    return max(fits)[1]


def plugins(kind: str) -> list[str]:
    """Plug-in modules of one kind; helpers (`_name`) are not among them."""
    return [
        m
        for m in modules()
        if m.startswith(f"pstl.{kind}.") and not m.rpartition(".")[2].startswith("_")
    ]


def third_party(path: Path) -> set[str]:
    """Top names of what a file imports, except the standard library and this package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"pstl"}


def empty(module: str) -> bool:
    """Whether a package's own file holds nothing but its docstring."""
    return not any(
        not isinstance(node, ast.Expr) for node in ast.parse(modules()[module].read_bytes()).body
    )


@pytest.mark.parametrize("module", sorted(set(modules()) - {"pstl"}))
def test_imports_go_down_only(module: str) -> None:
    """An import that points up ties two layers into one: neither can be read, tested or replaced
    alone.
    """
    upward = [
        m
        for m in imports(module)
        if m != "pstl" and not module.startswith(f"{m}.") and layer(m) > layer(module)
    ]
    assert not upward, f"{module} imports {upward}, which lie above it"


@pytest.mark.parametrize(
    "kind",
    [
        "methods",
        "tasks",
        "data.datasets",
        "data.recipes",
        "backbones",
        "data.formats",
        "data.readers",
    ],
)
def test_a_plugin_never_imports_its_neighbour(kind: str) -> None:
    """Deleting one method, task, data set, recipe or encoder must leave the others whole."""
    known = plugins(kind)
    assert known, f"no plug-ins found under {kind}: the test looks in the wrong place"
    sideways = {
        m: sorted(set(imports(m)) & set(known)) for m in known if set(imports(m)) & set(known)
    }
    assert not sideways


def test_recipes_and_methods_know_no_data_set() -> None:
    """A recipe or method that knows where clips come from is a fork for each data set.

    What it needs is in the skeleton.
    """
    for module in [
        *plugins("data.recipes"),
        *plugins("methods"),
        *plugins("backbones"),
        *plugins("tasks"),
    ]:
        known = {m for m in closure(module) if m.startswith("pstl.data.datasets") and not empty(m)}
        assert not known, f"{module} reaches {sorted(known)}"


def test_compute_core_needs_four_packages_only() -> None:
    """A GPU node has torch, numpy, yaml and pydantic, and must not need a workflow manager or a
    tracking server.
    """
    plugged = [
        m
        for kind in ("methods", "backbones", "tasks", "data.recipes", "data.datasets")
        for m in plugins(kind)
    ]
    core = closure(*CORE, *plugged)
    foreign = {
        m: sorted(third_party(modules()[m]) - CORE_NEEDS - READS_WITH.get(m, set()))
        for m in core
        if third_party(modules()[m]) - CORE_NEEDS - READS_WITH.get(m, set())
    }
    assert not foreign


def test_readers_of_foreign_formats_start_without_their_library() -> None:
    """What only a file of one data set asks for must not stop an encoder of another."""
    for module, libraries in READS_WITH.items():
        code = f"import sys, {module}; sys.exit(' '.join({libraries} & set(sys.modules)) or 0)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_command_line_and_rules_start_without_torch() -> None:
    """`--help` and the settings answer at once only while torch, which takes seconds to import,
    stays out of them.
    """
    light = [
        "cli",
        "config",
        "paths",
        "errors",
        "registry",
        "provenance",
        "code_hash",
        "plan",
        "train.devices",
    ]
    heavy = {"torch", "mlflow", "pandas", "matplotlib"}
    code = f"import sys, {', '.join(f'pstl.{module}' for module in light)};"
    code += f"sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr
    assert done.returncode == 0


def test_joint_counts_stand_in_the_skeletons_only() -> None:
    """The number 25 in a formula works for one sensor and is wrong for the next.

    Derive it from the skeleton.
    """
    exempt = {
        "simulator": "angles in degrees",
        "data/datasets/_ntu.py": "a performer's number",
        "data/formats/expmap_txt.py": "the recording's own tree of joints",
        "tasks/prediction.py": "frames of the public test windows",
        "methods/pstl.py": "the joint count of the settings, and shapes of released weights",
    }
    found = []
    for path in modules().values():
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(("skeletons/", *exempt)):
            continue
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
        exponents = {
            id(node.right)
            for node in nodes
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
        }  # 2**25 bytes
        numbers = [
            node
            for node in nodes
            if isinstance(node, ast.Constant)
            and type(node.value) is int
            and id(node) not in exponents
        ]
        found += [f"{place}:{node.lineno}" for node in numbers if node.value == 25]
    assert not found


def test_no_body_is_looked_up_by_its_number_of_joints() -> None:
    """Two bodies of 20 joints are two bodies: whoever goes through the list of them for one that
    fits has lost a name on the way.

    Outside of pstl/skeletons a body is loaded by its name; what would fit is only ever said to
    people.
    """
    inside = {path.stem for path in (PACKAGE / "skeletons").iterdir()}
    searches = []
    for path in modules().values():
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith("skeletons/"):
            continue
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
        imported = [
            (node.module, alias.name)
            for node in nodes
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        taken = {name for module, name in imported if module == "pstl.skeletons"}
        if ("pstl", "skeletons") in imported:
            attributes = [
                node
                for node in nodes
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            ]
            taken |= {node.attr for node in attributes if node.value.id == "skeletons"}
        searches += [
            f"{place}: {name}" for name in taken - {"Skeleton", "load", "check_tables"} - inside
        ]
    assert not searches


def test_nothing_is_printed() -> None:
    """Standard output belongs to results.

    Progress is logged to stderr, where a log file and a person both see it.
    """
    calls = [
        f"{path.name}:{node.lineno}"
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not calls


def test_no_module_is_a_drawer() -> None:
    """A file named utils has no reason of its own, so everything ends up in it."""
    drawers = {"utils", "util", "misc", "helper", "helpers", "common", "manager", "processor"}
    assert not [module for module in modules() if module.rpartition(".")[2].strip("_") in drawers]


OPENING = {
    "open",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "loadtxt",
    "memmap",
    "ZipFile",
    "SevenZipFile",
}
EDGE = {"reading", "atomic", "replaced"}  # of pstl.files
# Modules that open files elsewhere than inside one of EDGE, and why.
OPENS = {
    "files.py": "the edge itself",
    "errors.py": "modules of this package, where one is no Python",
    "publish.py": "the edge itself",
    "seals.py": "called inside `reading`, or on what is not published yet",
    "owner.py": "the system's own words, and records of which half is nobody's",
    "data/numpy_file.py": "called inside `reading`",
    "data/store.py": "called inside `reading`",
    "data/prepare.py": "the array that is being made, inside `replaced`",
    "data/formats/": "what other people made: data/reading.py has its rule",
    "data/reading.py": "what other people made",
    "data/number_table.py": "what other people made",
    "data/datasets/": "what other people made, and lists of this package",
    "data/clip_files.py": "called inside `reading`",
    "data/archives.py": "what other people made: archives have a rule of their own",
    "data/members.py": "what other people made: archives have a rule of their own",
    "data/sevenzip.py": "what other people made: archives have a rule of their own",
    "data/doctor.py": "what other people made: damage is what it reports",
    "data/connection.py": "addresses, not files",
    "data/download.py": "downloads, which are kept half-done",
    "data/fetch.py": "what other people made: archives have a rule of their own",
    "interruption.py": "what the system says of processes, and a pipe to itself",
    "train/checkpoint.py": "who holds a lock; and a checksum, inside `reading`",
    "train/precision.py": "the processor's own words",
    "provenance.py": "the processor's own words",
    "code_hash.py": "this package",
    "registry.py": "this package",
    "report/document.py": "this package",
}


def opened(node: ast.AST, inside: bool = False) -> Iterator[ast.Call]:
    """Calls below a node that open a file, and do not do so within one of EDGE."""
    if isinstance(node, ast.Call) and not inside:
        method, function = getattr(node.func, "attr", ""), getattr(node.func, "id", "")
        called_on = getattr(getattr(node.func, "value", None), "id", "")
        if (
            method in OPENING
            or function in OPENING - {"read_text", "write_text"}
            or (called_on in ("np", "torch") and method == "load")
        ):
            yield node
    if isinstance(node, ast.With):
        calls = (item.context_expr for item in node.items)
        inside = inside or any(
            isinstance(call, ast.Call) and getattr(call.func, "id", "") in EDGE for call in calls
        )
    for child in ast.iter_child_nodes(node):
        yield from opened(child, inside)


def test_files_are_opened_at_the_edge_only() -> None:
    """What is opened elsewhere ends in somebody else's exception, which names no file: one was
    forgotten in every list there was.
    """
    exempt = tuple(OPENS)
    found = []
    for path in modules().values():
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(exempt):
            found += [f"{place}:{call.lineno}" for call in opened(ast.parse(path.read_bytes()))]
    assert not found
