# Recordings -> sequences -> arrays. Each folder's meta.json holds the checksum of everything beside
# it, so it stands for the folder.

# Reading text and applying a recipe take every core there is, and write the same with any number.
ALL_CORES = 1024


rule fetch:
    output:
        manifest="data/raw/{dataset}/manifest.json",
    log:
        "data/raw/{dataset}.fetch.log",
    params:
        section=job.dataset_settings,
        code=job.code("fetch"),
        out=subpath(output.manifest, parent=True),
    message:
        "fetch {wildcards.dataset}"
    shell:
        "pstl fetch {wildcards.dataset:q} --out {params.out:q} 2>&1 | tee {log:q} >&2"


rule parse:
    input:
        manifest=rules.fetch.output.manifest,
    output:
        meta="data/sequences/{dataset}/meta.json",
        files=job.files("data/sequences/{dataset}/meta.json"),
    log:
        "data/sequences/{dataset}.log",
    threads: ALL_CORES
    resources:
        mem_mb=reading_memory,
        runtime=reading_minutes,
    params:
        section=job.dataset_settings,
        code=job.code("parse"),
        raw=subpath(input.manifest, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "read and count the recordings of {wildcards.dataset}"
    shell:
        "pstl parse {wildcards.dataset:q} --raw {params.raw:q} --out {params.out:q} --jobs {threads}"
        " 2>&1 | tee {log:q} >&2"


rule recordings:
    input:
        manifest=rules.fetch.output.manifest,
    output:
        meta="data/recordings/{dataset}/meta.json",
        files=job.files("data/recordings/{dataset}/meta.json"),
    log:
        "data/recordings/{dataset}.log",
    threads: ALL_CORES
    resources:
        mem_mb=reading_memory,
        runtime=reading_minutes,
    params:
        section=job.dataset_settings,
        code=job.code("recordings"),
        raw=subpath(input.manifest, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "read the untrimmed recordings of {wildcards.dataset}"
    shell:
        "pstl parse {wildcards.dataset:q} --untrimmed --raw {params.raw:q} --out {params.out:q}"
        " --jobs {threads} 2>&1 | tee {log:q} >&2"


rule prepare:
    input:
        meta=rules.parse.output.meta,
        files=rules.parse.output.files,
    output:
        meta="data/arrays/{dataset}/{recipe}/meta.json",
        files=job.files("data/arrays/{dataset}/{recipe}/meta.json"),
    log:
        "data/arrays/{dataset}/{recipe}.log",
    threads: ALL_CORES
    resources:
        mem_mb=reading_memory,
        runtime=reading_minutes,
    params:
        section=job.recipe_settings,
        code=job.code("prepare"),
        sequences=subpath(input.meta, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "apply {wildcards.recipe} to {wildcards.dataset}"
    shell:
        "pstl prepare {wildcards.dataset:q} --recipe {params.section:q}"
        " --sequences {params.sequences:q} --out {params.out:q} --jobs {threads} 2>&1 | tee {log:q} >&2"


rule labels:
    input:
        meta=rules.parse.output.meta,
        files=rules.parse.output.files,
    output:
        ranking="data/labels/{dataset}/{split}/{label_rule}/d{draw}.json",
    log:
        "data/labels/{dataset}/{split}/{label_rule}/d{draw}.log",
    params:
        code=job.code("labels"),
        sequences=subpath(input.meta, parent=True),
    message:
        "draw {wildcards.draw} of the labelled clips of {wildcards.dataset}/{wildcards.split},"
        " rule {wildcards.label_rule}"
    shell:
        "pstl labels {wildcards.dataset:q} --sequences {params.sequences:q} --split {wildcards.split:q}"
        " --rule {wildcards.label_rule:q} --draw {wildcards.draw:q} --out {output.ranking:q}"
        " 2>&1 | tee {log:q} >&2"


rule leakage:
    input:
        array=rules.prepare.output.meta,
        files=rules.prepare.output.files,
    output:
        report="data/leakage/{dataset}/{recipe}/{split}.json",
    log:
        "data/leakage/{dataset}/{recipe}/{split}.log",
    params:
        code=job.code("leakage"),
        array=subpath(input.array, parent=True),
    message:
        "check that no test clip of {wildcards.dataset}/{wildcards.split} is trained on"
    shell:
        "pstl leakage --array {params.array:q} --split {wildcards.split:q} --out {output.report:q}"
        " 2>&1 | tee {log:q} >&2"
