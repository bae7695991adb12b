# Arrays -> encoders, and weights that others trained -> encoders. Interrupted training goes on from last.pt, which lies beside encoder.pt and is
# no declared output, because Snakemake deletes those before it tries again.


rule pretrain:
    input:
        array=job.array,
        corpus=job.corpus,
        files=job.training_files,
        leakage=job.leakages,
        labels=job.labels,
    output:
        encoder="results/{suite}/runs/{run}/encoder.pt",
        curve="results/{suite}/runs/{run}/curve.jsonl",
        facts="results/{suite}/runs/{run}/run.json",
        snapshots="results/{suite}/runs/{run}/snapshots.zip",
    log:
        "results/{suite}/runs/{run}/pretrain.log",
    wildcard_constraints:
        run=rf"(?!{job.imported}){RUN}",
    priority: 1  # the long jobs first: tasks fill the gaps
    retries: 1
    threads: 1  # so weights do not depend on --cores, and two cores take two runs
    resources:
        gpu=gpu_of_training,
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        section=job.method_settings,
        code=job.code("pretrain"),
        array=subpath(input.array, parent=True),
        corpus=job.corpus_options,
        labels=job.labels_option,
    message:
        "pre-train {wildcards.suite}/{wildcards.run}"
    shell:
        "pstl pretrain --run {wildcards.suite:q}/{wildcards.run:q} --array {params.array:q}"
        " {params.corpus} {params.labels}"
        " --gpus {resources.gpu} --out {output.encoder:q} 2>&1 | tee {log:q} >&2"


rule import_weights:
    output:
        encoder="results/{suite}/runs/{run}/encoder.pt",
        curve="results/{suite}/runs/{run}/curve.jsonl",
        facts="results/{suite}/runs/{run}/run.json",
        snapshots="results/{suite}/runs/{run}/snapshots.zip",
    log:
        "results/{suite}/runs/{run}/import.log",
    wildcard_constraints:
        run=rf"(?={job.imported}){RUN}",
    params:
        section=job.method_settings,
        code=job.code("import"),
    message:
        "import the weights of {wildcards.suite}/{wildcards.run}"
    shell:
        "pstl import-run --run {wildcards.suite:q}/{wildcards.run:q} --out {output.encoder:q}"
        " 2>&1 | tee {log:q} >&2"
