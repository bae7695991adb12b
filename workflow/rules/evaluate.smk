# Encoders -> features, once -> rows of every task.


rule features:
    input:
        encoder=job.features_encoder,
        array=job.array,
        files=job.array_files,
    output:
        features="results/{suite}/runs/{run}/{batch_norm}{origin}{pooled}/features.npz",
    log:
        "results/{suite}/runs/{run}/{batch_norm}{origin}{pooled}/features.log",
    group:
        "probes"
    resources:
        gpu=gpu_of_features,
        mem_mb=memory,
        runtime=minutes_of_features,
    params:
        code=job.code("features"),
        array=subpath(input.array, parent=True),
        split=job.split,
        pooling=job.pooling_option,
    message:
        "encode {wildcards.suite}/{wildcards.run},"
        " batch norm {wildcards.batch_norm}{wildcards.origin}{wildcards.pooled}"
    shell:
        "pstl features --encoder {input.encoder:q} --array {params.array:q} --split {params.split:q}"
        " --batch-norm {wildcards.batch_norm:q} {params.pooling} --gpus {resources.gpu}"
        " --out {output.features:q} 2>&1 | tee {log:q} >&2"


rule evaluate:
    input:
        unpack(job.inputs),
    output:
        rows="results/{suite}/runs/{run}/{batch_norm}/{cell}.json",
        scores="results/{suite}/runs/{run}/{batch_norm}/{cell}.scores.npz",
    log:
        "results/{suite}/runs/{run}/{batch_norm}/{cell}.log",
    # Fine-tuning goes on from <cell>.last.pt, which lies beside its rows and is no declared output.
    retries: 1
    group:
        probe_of
    resources:
        gpu=gpu_of_task,
        mem_mb=memory,
        runtime=minutes_of_task,
    params:
        section=job.task_settings,
        code=job.code("evaluate"),
        inputs=job.input_options,
        cell=job.cell_options,
    message:
        "{wildcards.cell} on {wildcards.suite}/{wildcards.run}, batch norm {wildcards.batch_norm}"
    shell:
        "pstl evaluate --run {wildcards.suite:q}/{wildcards.run:q} {params.cell} {params.inputs}"
        " --gpus {resources.gpu} --out {output.rows:q} --scores {output.scores:q}"
        " 2>&1 | tee {log:q} >&2"


rule fuse:
    input:
        unpack(job.scores),
        rows=job.streams_rows,
    output:
        rows="results/{suite}/runs/{fused_run}/{batch_norm}/{cell}.json",
        scores="results/{suite}/runs/{fused_run}/{batch_norm}/{cell}.scores.npz",
    log:
        "results/{suite}/runs/{fused_run}/{batch_norm}/{cell}.log",
    group:
        "probes"
    params:
        section=job.fusion_settings,
        code=job.code("fuse"),
        scores=job.scores_options,
        cell=job.cell_options,
    message:
        "fuse {wildcards.cell} on {wildcards.suite}/{wildcards.fused_run},"
        " batch norm {wildcards.batch_norm}"
    shell:
        "pstl fuse --run {wildcards.suite:q}/{wildcards.fused_run:q} {params.cell}"
        " --scores {params.scores:q} --out {output.rows:q} --scores-out {output.scores:q}"
        " 2>&1 | tee {log:q} >&2"
