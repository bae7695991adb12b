# Encoders -> features, once -> rows of every task.


rule features:
    input:
        encoder=encoder_of,
        array=array_of,
        files=array_files_of,
    output:
        features="results/{suite}/runs/{run}/{batch_norm}{origin}/features.npz",
    log:
        "results/{suite}/runs/{run}/{batch_norm}{origin}/features.log",
    group:
        "probes"
    resources:
        gpu=gpu_of_features,
        mem_mb=memory,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        code=lambda w: code(
            "encoding.features",
            f"methods.{method_of(w).method}",
            f"backbones.{method_of(w).encoder.name}",
        ),
        array=subpath(input.array, parent=True),
        split=lambda w: run_of(w).split,
    message:
        "encode {wildcards.suite}/{wildcards.run}, batch norm {wildcards.batch_norm}{wildcards.origin}"
    shell:
        "pstl features --encoder {input.encoder} --array {params.array} --split {params.split}"
        " --batch-norm {wildcards.batch_norm} --gpus {resources.gpu} --out {output.features} 2>&1 | tee {log} >&2"


rule evaluate:
    input:
        unpack(needed_by),
    output:
        rows="results/{suite}/runs/{run}/{batch_norm}/{task}.json",
        scores="results/{suite}/runs/{run}/{batch_norm}/{task}.scores.npz",
    log:
        "results/{suite}/runs/{run}/{batch_norm}/{task}.log",
    retries: 1  # fine-tuning goes on from <task>.last.pt, which lies beside its rows and is no declared output
    group:
        probe_of
    resources:
        gpu=gpu_of_task,
        mem_mb=memory,
        runtime=minutes_of_task,
    params:
        section=lambda w: section(task_of(w).model_dump(mode="json", exclude={"summary"})),
        code=task_code,
        given=given,
    message:
        "{wildcards.task} on {wildcards.suite}/{wildcards.run}, batch norm {wildcards.batch_norm}"
    shell:
        "pstl evaluate --run {wildcards.suite}/{wildcards.run} --task {wildcards.task} --batch-norm {wildcards.batch_norm}"
        " {params.given} --gpus {resources.gpu} --out {output.rows} --scores {output.scores} 2>&1 | tee {log} >&2"


rule fuse:
    input:
        unpack(scores_of),
        rows=fused_rows_of,
    output:
        rows="results/{suite}/runs/{group}/3s/s{seed}/{batch_norm}/{task}.json",
        scores="results/{suite}/runs/{group}/3s/s{seed}/{batch_norm}/{task}.scores.npz",
    log:
        "results/{suite}/runs/{group}/3s/s{seed}/{batch_norm}/{task}.log",
    group:
        "probes"
    params:
        section=lambda w: section(fused_of(w)),
        code=lambda w: code("evaluation.run"),
        scores=lambda w, input: [f"{stream}={input[stream]}" for stream in scores_of(w)],
    message:
        "fuse {wildcards.task} on {wildcards.suite}/{wildcards.group}, seed {wildcards.seed}, batch norm {wildcards.batch_norm}"
    shell:
        "pstl fuse --run {wildcards.suite}/{wildcards.group}/3s/s{wildcards.seed} --task {wildcards.task}"
        " --batch-norm {wildcards.batch_norm} --scores {params.scores} --out {output.rows} --scores-out {output.scores} 2>&1 | tee {log} >&2"
