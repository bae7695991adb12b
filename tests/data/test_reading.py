"""One rule for files of recordings: every format takes its bytes, lines and numbers from one
place."""

import ast
import os
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import broken
import pytest

from pstl.data import formats, number_table, reading
from pstl.data.formats import (
    msr_txt,
    pku_txt,
    sbu_txt,
    skeleton_txt,
    ucla_json,
    utd_mat,
    utkinect_txt,
)
from pstl.errors import UserError

PARSERS = {
    "float",
    "eval",
    "complex",
    "open",
    "loadtxt",
    "genfromtxt",
    "fromstring",
    "fromfile",
    "fromregex",
    "frombuffer",
    "literal_eval",
}
PARSERS |= {
    "loads",
    "load_json",
    "read_text",
    "read_bytes",
    "decode",
    "splitlines",
    "read_csv",
    "reader",
}
SHORTHANDS = re.compile(
    r"\\[dDwWsSbB]"
)  # of regular expressions: they take digits and blanks of every alphabet


def modules():
    return [module.name for module in iter_modules(formats.__path__) if module.name != "_digits"]


def name_of(node):
    """The last name of what is called or handed over."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def own_parsing(source):
    """What a module parses by itself: names of functions called or handed to others, and patterns
    that know every alphabet."""
    nodes = list(ast.walk(ast.parse(source)))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    used = {name_of(part) for call in calls for part in (call.func, *call.args)}
    texts = [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    # Without an argument it takes blanks of every alphabet.
    bare = {"split()" for call in calls if name_of(call.func) == "split" and not call.args}
    return used & PARSERS | bare | {text for text in texts if SHORTHANDS.search(text)}


@pytest.mark.parametrize("name", modules())
def test_no_format_parses_by_itself(name):
    """A reader with limits of its own is how `true`, 1e30 m and a blank of another alphabet came
    into a data set."""
    assert not own_parsing(Path(formats.__path__[0], f"{name}.py").read_text())


@pytest.mark.parametrize(
    "line",
    [
        *(
            "float(word)",
            "map(float, words)",
            "np.loadtxt(path)",
            "json.loads(text)",
            "path.read_text()",
            "line.split()",
        ),
        *("text.splitlines()", "re.compile(r'a(\\d{2})')", "open(path)", "data.decode()"),
    ],
)
def test_a_format_with_a_parser_of_its_own_is_seen(line):
    """A rule that nothing breaks says nothing."""
    assert own_parsing(line)


NAMES = {
    skeleton_txt: "S001C002P003R001A004.skeleton",
    pku_txt: "0291-L.txt",
    ucla_json: "a08_s01_e02_v03.json",
    msr_txt: "a01_s01_e01_skeleton3D.txt",
    utd_mat: "a1_s1_t1_skeleton.mat",
    sbu_txt: "s01s02/04/001/skeleton_pos.txt",
}


@pytest.mark.parametrize(
    "module", [import_module(f"{formats.__name__}.{name}") for name in modules()]
)
def test_names_have_digits_of_one_alphabet(module):
    """Python takes a digit of any alphabet for one, so two files could be one clip."""
    if not hasattr(module, "parse_name"):
        return
    name = NAMES[module]
    module.parse_name(name)
    for digits in (
        "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",
        "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19",
    ):
        with pytest.raises(UserError):
            module.parse_name(
                name.translate({ord("0") + i: digit for i, digit in enumerate(digits)})
            )


@pytest.mark.parametrize(
    "name",
    ["skeleton_txt.read", "pku_txt.read", "ucla_json.read", "utkinect_txt.read", "msr_txt.read"],
)
def test_every_format_has_the_same_limit_for_a_coordinate(tmp_path, name):
    """Millimetres, or 1e30: a coordinate beyond a kilometre is damage in every format, and one
    below it in none."""
    reader = broken.READERS[name]
    whole = reader.whole[0]
    before, place = {
        "skeleton_txt.read": (b"\n25\n", 0),
        "ucla_json.read": (b"[[[", 0),
        "utkinect_txt.read": (b"  ", 0),
    }.get(name, (b"", 0))
    start = whole.index(before, place) + len(before)
    end = start + re.search(rb"[ ,]", whole[start:]).start()
    reader.read(tmp_path / reader.file, whole[:start] + b"999" + whole[end:])
    for number in (b"1001", b"-1001", b"1e4", b"1e30", b"-1e38", b"1e39"):
        with pytest.raises(UserError, match=f"{re.escape(reader.file)}.*1000 m"):
            reader.read(tmp_path / reader.file, whole[:start] + number + whole[end:])


def test_rows_are_lines():
    """One number lost in a row and one gained in the next would shift every joint between."""
    layout = ((reading.METRES, 3),)
    table = number_table.read(b"1 2 3\n\n4\t5 6 \r\n 7 8 9", "x.txt", layout, "3 columns")
    assert table.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert number_table.read(
        b"1, 2,3\n4 ,5,6", "x.txt", layout, "3 columns", comma=True
    ).tolist() == [[1, 2, 3], [4, 5, 6]]
    for text in (b"1 2 3 4\n5 6", b"1 2\n3 4 5 6", b"1 2 3 4 5 6", b"1\n2\n3", b"1 2 3\n4 5"):
        with pytest.raises(
            UserError, match=r"x\.txt: not a table of numbers: row [12] has not 3 numbers"
        ):
            number_table.read(text, "x.txt", layout, "3 columns")
    for text in (b"1,2,3,\n", b"1,,2,3", b"1 2,3", b",1,2", b"1,2,3\n4,5 6", b"1;2;3"):
        with pytest.raises(UserError, match=r"x\.txt: not a table of numbers: row [12]"):
            number_table.read(text, "x.txt", layout, "3 columns", comma=True)


def test_lines_of_a_skeleton_file_hold_what_they_should():
    """As many numbers as there should be, in the wrong lines: every joint after the first defect
    would be its neighbour."""
    whole = broken.READERS["skeleton_txt.read"].whole[0]
    lines = whole.split(b"\n")
    joint = lines[5].split(b" ")
    lines[5], lines[6] = b" ".join(joint[:-1]), joint[-1] + b" " + lines[6]
    with pytest.raises(UserError, match="a line in or near frame 1 has too many or too few values"):
        skeleton_txt.read(b"\n".join(lines), "x.skeleton")


def test_counts_are_whole_and_not_below_zero():
    """A frame number of 10.5 or -3 is a shifted column."""
    layout = ((reading.FRAMES, 1), (reading.METRES, 1))
    assert number_table.read(b"10.000 1.5", "x.txt", layout, "2 columns").tolist() == [[10, 1.5]]
    for word in (b"10.5", b"-3", b"1e8"):
        with pytest.raises(UserError, match=r"row 2 has .* absurd numbers: found"):
            number_table.read(b"1 1\n" + word + b" 1", "x.txt", layout, "2 columns")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("s01_e01\nwalk: 10 \u0663", "line 2: found '\u0663', expected two frame numbers"),
        ("walk: 10 20\n", "line 1: 'walk: 10 20'; expected sSS_eEE"),
        ("s01_e01\nwalk: -inf inf\n", "line 2: found '-inf'"),
        ("s01_e01\nwalk: 10 1e30\n", "line 2: found '1e30'"),
        ("s01_e01\nwalk: NaN 20\n", "line 2: found 'NaN'"),
        ("s01_e01\nwalk: 1_0 20\n", "line 2: found '1_0'"),
        ("s01_e01\nwalk: 10 20\nwalk: 30 40\n", "line 3: 'walk' a second time"),
        ("s01_e01\nwalk: 10 20\ns01_e01\n", "line 3: recording s01_e01 a second time"),
        ("s\u0660\u0661_e01\nwalk: 10 20\n", "line 1: 's"),
        ("s01_e01\n# walk: 10 20\n", "line 2: '# walk"),
        ("s01_e01\nwalk:\u300010\u300020\n", "line 2: 'walk"),
        ("s01_e01\nwalk: 10\x1f20\n", r"line 2: found '\x1f'"),
        ("s01_e01\n\u00e9\udcff\n", "line 2: found '\ufffd', expected a text in UTF-8"),
    ],
)
def test_every_line_of_a_list_of_labels_is_understood(tmp_path, text, complaint):
    """A label that is skipped, or read as another, is a wrong ground truth nobody sees."""
    path = tmp_path / "actionLabel.txt"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        utkinect_txt.read_labels(path.read_bytes(), str(path), ("walk",))
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)


def test_names_of_a_split_are_names_to_the_end():
    """The last name of a list that was cut short would be on neither side, in silence."""
    with pytest.raises(UserError, match=r"x: line 2: found '0003-', expected names such as 0291-L"):
        pku_txt.read_split("Training videos:\n0002-L, 0003-\nValidation videos:\n0291-R", "x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b'{"label": 7, "label": 8, "skeletons": []}', "key 'label' occurs twice"),
        (b'{"skeletons": ' + b"[" * 40 + b"]" * 40 + b"}", "nested more than 16 deep"),
        (b"[" * 100_000, "nested more than 16 deep"),
        (b"\xff{}", "not valid JSON"),
        (b"[]", "expected an object of JSON, found list"),
        (b"", "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_json_is_one_object_whose_keys_occur_once(text, complaint):
    """Of two labels Python keeps the last without a word; a file of brackets alone ends the
    interpreter."""
    with pytest.raises(UserError, match=re.escape(complaint)) as caught:
        reading.json_object(text, "x.json")
    assert str(caught.value).startswith("x.json: ")
    assert len(str(caught.value)) < 300


def test_what_cannot_be_read_is_named(tmp_path):
    """A folder, a pipe or a broken link of the right name must not stop a program for ever, nor
    without saying which."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link", "pipe", "none"):
        with pytest.raises(UserError, match=re.escape(str(tmp_path / name))) as caught:
            reading.content(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path):
    """A terabyte under the name of a clip, a hole on the disk, must not be taken into memory."""
    with open(tmp_path / "a.skeleton", "wb") as file:
        file.truncate(reading.LARGEST_FILE + 1)
    with pytest.raises(UserError, match=r"a\.skeleton: \d+ bytes, expected at most"):
        skeleton_txt.read(tmp_path / "a.skeleton")
