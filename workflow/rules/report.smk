# Rows -> tables beside the published numbers, and every run into MLflow.
# `snakemake --report` collects tables, plots and page, each with its caption.


report: "../report/workflow.rst"


rule report:
    input:
        rows=job.rows,
        runs=job.run_files,
        files=job.suite_files,
    output:
        summary="results/{suite}/tables/summary.json",
        rows="results/{suite}/tables/rows.csv",
        comparison=report(
            multiext("results/{suite}/tables/comparison", ".csv", ".md"),
            caption="../report/tables.rst",
            category="Tables",
        ),
        scores=expand(
            "results/{{suite}}/tables/{name}.csv", name=["per_class", "confusion", "paired"]
        ),
        # the summary, a file for each method and stream
        metrics=directory("results/{suite}/tables/metrics"),
        plots=report(
            expand(
                "results/{{suite}}/tables/{name}.png",
                name=["curves", "accuracy", "settings", "labels", "moved", "cost"],
            ),
            caption="../report/plots.rst",
            category="Plots",
        ),
    log:
        "results/{suite}/report.log",
    params:
        compared=job.compared_with,
        code=job.code("report"),
        folder=job.results_root,
    message:
        "tables of {wildcards.suite}"
    shell:
        "(cd {params.folder:q} && pstl report --suite {wildcards.suite:q}"
        " --out results/{wildcards.suite:q}/tables)"
        " 2>&1 | tee {log:q} >&2"


rule page:
    input:
        rows=job.rows,
        runs=job.run_files,
        files=job.suite_files,
        features=job.drawn_features,
        # made first: a wrong row is said there in one line, once
        tables=rules.report.output.summary,
    output:
        page=report(
            "results/{suite}/report/index.html",
            caption="../report/page.rst",
            category="Report",
            labels={"file": "everything on one page"},
        ),
    log:
        "results/{suite}/page.log",
    params:
        compared=job.compared_with,
        code=job.code("page"),
        folder=job.results_root,
    message:
        "report of {wildcards.suite}"
    shell:
        "(cd {params.folder:q} && pstl page --suite {wildcards.suite:q}"
        " --out results/{wildcards.suite:q}/report/index.html)"
        " 2>&1 | tee {log:q} >&2"


rule track:
    input:
        rows=job.rows,
        runs=job.run_files,
        files=job.suite_files,
    output:
        receipt="results/{suite}/mlflow.json",
    log:
        "results/{suite}/track.log",
    params:
        # the address as a digest: it may hold a password
        store=digest(PARAMS.tracking_uri or environment.tracking_store()),
        code=job.code("track"),
        folder=job.results_root,
    message:
        "tell MLflow about {wildcards.suite}"
    shell:
        "(cd {params.folder:q} && pstl track --suite {wildcards.suite:q}"
        " --out results/{wildcards.suite:q}/mlflow.json)"
        " 2>&1 | tee {log:q} >&2"
