"""The only place that joins path strings; used by the command line and by the rules.

All paths are relative to the project's root. Names are built here and never parsed.
"""

from pstl.config import CLIP, Cell, Run

RAW = "data/raw/{dataset}"
SEQUENCES = "data/sequences/{dataset}"
RECORDINGS = "data/recordings/{dataset}"
ARRAYS = "data/arrays/{dataset}/{recipe}"
WEIGHTS = "data/weights"  # downloaded files of weights
DRAWS = "data/labels"
LABELS = f"{DRAWS}/{{dataset}}/{{split}}/{{rule}}/d{{draw}}.json"
LEAKAGE = "data/leakage/{dataset}/{recipe}/{split}.json"
RESULTS = "results/{suite}"
# What lies in a folder beside its meta.json, which stands for them all where there are folders;
# object storage has none.
STOOD_FOR = {
    "sequences": ("values.bin", "bodies.bin", "index.npy"),
    "recordings": (
        "times.npy",
        "sequences/meta.json",
        "sequences/values.bin",
        "sequences/bodies.bin",
        "sequences/index.npy",
    ),
    "arrays": ("x.npy", "y.npy", "length.npy", "content.npy", "splits.npz"),
}


def raw(dataset: str) -> str:
    """Folder of a data set's files as they came."""
    return RAW.format(dataset=dataset)


def sequences(dataset: str) -> str:
    """Folder of a data set's sequences at native length."""
    return SEQUENCES.format(dataset=dataset)


def recordings(dataset: str) -> str:
    """Folder of a data set's untrimmed recordings with timed labels."""
    return RECORDINGS.format(dataset=dataset)


def array(dataset: str, recipe: str) -> str:
    """Folder of the array one recipe makes of a data set."""
    return ARRAYS.format(dataset=dataset, recipe=recipe)


def labels(dataset: str, split: str, rule: str, draw: int) -> str:
    """Which clips have labels at any fraction, for one rule and draw; a run's draw is its seed."""
    return LABELS.format(dataset=dataset, split=split, rule=rule, draw=draw)


def results(suite: str) -> str:
    """Folder of everything one suite produces."""
    return RESULTS.format(suite=suite)


def leakage(dataset: str, recipe: str, split: str) -> str:
    """The check that no test clip of a split is trained on."""
    return LEAKAGE.format(dataset=dataset, recipe=recipe, split=split)


def stood_for(meta: str) -> list[str]:
    """The files that a folder's meta.json stands for; none of any other file."""
    folder, _, name = meta.rpartition("/")
    kind = folder.split("/")[1] if folder.startswith("data/") and name == "meta.json" else ""
    return [f"{folder}/{each}" for each in STOOD_FOR.get(kind, ())]


def run(run: Run) -> str:
    """Folder of one run."""
    suite, _, place = str(run).partition("/")
    return f"{results(suite)}/runs/{place}"


def encoder(run_: Run) -> str:
    return f"{run(run_)}/encoder.pt"


def snapshots(run_: Run) -> str:
    """Encoders of a run on its way, and its classifiers."""
    return f"{run(run_)}/snapshots.zip"


def features(run_: Run, batch_norm: str, source: str = "", pooling: str = CLIP) -> str:
    """Features of a run's data; `source`: dataset/split of another run whose encoder made them."""
    return f"{run(run_)}/{batch_norm}{origin(source)}{pooled(pooling)}/features.npz"


def origin(source: str) -> str:
    """Folder, below a batch-norm variant's, of what another run's encoder gives.

    Empty for the run's own.
    """
    return f"/from/{source}" if source else ""


def pooled(pooling: str) -> str:
    """Folder below it of features that are no encoder's own; empty for those."""
    return "" if pooling == CLIP else f"/pooled/{pooling}"


def metrics(cell: Cell) -> str:
    """Rows of one cell."""
    return f"{run(cell.run)}/{cell.batch_norm}/{cell.name}.json"


def scores(cell: Cell) -> str:
    """Class scores of one cell's test clips, for fusion and for confusion matrices."""
    return f"{run(cell.run)}/{cell.batch_norm}/{cell.name}.scores.npz"
