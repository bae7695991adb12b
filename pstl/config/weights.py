"""What a method entry says of weights that others trained."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from pstl.config.frozen import Frozen
from pstl.config.worded import worded

ADDRESS = r"(https?://[^/]+/.*[^/]|)"
DIGEST = r"[0-9a-f]{64}"
SIDE = r"[^/]+/[^/]+"
# A split of a data set, by both names.
Side = Annotated[
    str,
    worded(SIDE, "dataset/split, e.g. ntu60/xview"),
    Field(json_schema_extra={"pattern": f"^{SIDE}$"}),
]


def _in_small_letters(value: Any) -> Any:
    """A checksum is a number: tools write it in large or small letters."""
    return value.lower() if isinstance(value, str) else value


Address = Annotated[
    str,
    worded(ADDRESS, "the address of a file, https://HOST/PATH"),
    Field(json_schema_extra={"pattern": f"^{ADDRESS}$"}),
]
Sha256 = Annotated[
    str,
    BeforeValidator(_in_small_letters),
    worded(DIGEST, "a SHA-256, 64 digits and letters a to f"),
    Field(json_schema_extra={"pattern": "^[0-9a-fA-F]{64}$"}),
]


class WeightFile(Frozen):
    """One file of weights that others trained.

    file: a path, or a name looked for in the folders of archives; empty: the URL's last part.
    url: where it is downloaded if it is nowhere.   part: as of `import-weights`.
    """

    file: str = ""
    url: Address = ""
    sha256: Sha256
    part: str = ""

    @model_validator(mode="after")
    def _somewhere(self) -> "WeightFile":
        if not self.name:
            raise ValueError("neither file nor url; name one of them")
        return self

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return (self.file or self.url).rpartition("/")[2]


class Weights(Frozen):
    """Weights that others trained, which a method entry takes in place of training.

    source: whose code made them, a file of pstl/importers.
    trained_on: dataset/split; its body is the encoder's, its classes are those of a head.
    people: body slots of the clips it is given; 0: as in trained_on. Fewer, where data have fewer,
        cost less and count no absent bodies: means over bodies and renewed statistics differ.
    joint, bone, motion, other: the file of each stream that there is.
    """

    source: str
    trained_on: Side
    people: Annotated[int, Field(ge=0)] = 0
    joint: WeightFile | None = None
    bone: WeightFile | None = None
    motion: WeightFile | None = None
    other: WeightFile | None = None

    @model_validator(mode="after")
    def _a_stream(self) -> "Weights":
        if not self.files:
            raise ValueError("no file; name one as joint, bone, motion or other")
        return self

    @property
    def files(self) -> dict[str, WeightFile]:
        """Stream -> its file."""
        streams = ("joint", "bone", "motion", "other")
        named = {stream: vars(self)[stream] for stream in streams}
        return {stream: file for stream, file in named.items() if file}
