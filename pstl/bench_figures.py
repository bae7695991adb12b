"""What `pstl bench --json` wrote, read back: rows of a method, or of a task on features.

Free of torch.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from pstl.errors import UserError
from pstl.files import Kind, read_json

BENCH = Kind("readable file of 'python -m pstl bench --json'", "make it again with that")


class Figure(BaseModel):
    """A row of bench: of a method, or of a task that reads features."""

    device: str
    threads: int
    method: str = ""
    train_clips_per_second: float = Field(1.0, gt=0)
    items_per_clip: float = Field(1.0, gt=0)
    encode_clips_per_second: float = Field(1.0, gt=0)
    batch_size: int = 1
    own_batch_size: int = 1
    features: int = 1
    parameters: int = 0
    encoder_parameters: int = 0
    task: str = ""
    seconds: float = 0.0
    train: int = Field(1, gt=0)
    test: int = Field(1, gt=0)
    width: int = Field(1, gt=0)
    classes: int = Field(1, gt=0)
    epochs: int = Field(1, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> "Figure":
        """What is named is timed."""
        asked: dict[str, tuple[str, ...]] = {
            "method": (
                "train_clips_per_second",
                "items_per_clip",
                "encode_clips_per_second",
                "parameters",
            ),
            "task": ("seconds", "train", "test", "width", "classes"),
        }
        lacking = []
        for name, keys in asked.items():
            if getattr(self, name):
                lacking += [key for key in keys if key not in self.model_fields_set]
        if lacking or not (self.method or self.task):
            raise ValueError(f"no {', '.join(lacking) or 'method or task'}")
        return self


def read_figures(path: str | Path) -> list[dict[str, Any]]:
    """What `bench --json` wrote. Raises: UserError if the file is missing or something else."""
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such file; make it with 'python -m pstl bench --json {path}'")
    some = Annotated[list[Figure], Field(min_length=1)]
    figures: list[dict[str, Any]] = read_json(path, BENCH, some)
    return figures
