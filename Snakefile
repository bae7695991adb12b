# The whole project as one graph: recordings -> sequences -> arrays -> encoders -> features ->
# scores -> tables. What is run stands in params.yaml and suites/; what follows from what stands in
# workflow/rules.
from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


onstart:
    Path(paths.DRAWS).mkdir(
        parents=True, exist_ok=True
    )  # DVC keeps it, and most suites draw no labels
    heed_signals()  # not before: Snakemake sets its own when it begins to schedule
    serve_forks()


onsuccess:
    # The page over every suite; what it cannot read is no reason to call this suite failed.
    if not STORED:
        shell("pstl index --out results/index.html 2>&1 | tail -n 1 >&2 || true")


# Run where Snakemake runs, also on a cluster: seconds of work, and downloads, which the nodes of
# many clusters are cut off from.
localrules:
    all,
    fetch,
    labels,
    leakage,
    import_weights,
    report,
    page,
    track,


if STORED:  # what was downloaded lies on this machine, under names that nobody knows beforehand

    localrules:
        parse,
        recordings,


rule all:
    default_target: True
    input:
        f"{paths.results(SUITE)}/tables/summary.json",
        f"{paths.results(SUITE)}/report/index.html",
        f"{paths.results(SUITE)}/mlflow.json",
