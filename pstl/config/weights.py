"""What a method entry says of weights that others trained."""

from typing import Annotated

from pydantic import Field, model_validator

from pstl.config.frozen import Frozen


class WeightFile(Frozen):
    """One file of weights that others trained.

    file: a path, or a name looked for in the folders of archives; empty: the URL's last part.
    url: where it is downloaded if it is nowhere.   part: as of `import-weights`.
    """

    file: str = ""
    url: Annotated[str, Field(pattern=r"^(https?://[^/]+/.*[^/]|)$")] = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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
    trained_on: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")]
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
