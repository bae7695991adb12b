# Recordings -> sequences -> arrays. Each folder's meta.json holds the checksum of everything beside it, so it stands for the folder.

# Reading text and applying a recipe take every core there is; what they write does not depend on the number.
ALL_CORES = 1024


rule fetch:
    output:
        manifest="data/raw/{dataset}/manifest.json",
    log:
        "data/raw/{dataset}.fetch.log",
    params:
        section=lambda w: section(PARAMS.dataset(w.dataset)),
        code=lambda w: code("data.fetch", f"data.datasets.{w.dataset}"),
        out=subpath(output.manifest, parent=True),
    message:
        "fetch {wildcards.dataset}"
    shell:
        "with_archives pstl fetch {wildcards.dataset} --out {params.out} 2>&1 | tee {log} >&2"


rule parse:
    input:
        manifest=rules.fetch.output.manifest,
    output:
        meta="data/sequences/{dataset}/meta.json",
        files=files_of("data/sequences/{dataset}/meta.json"),
    log:
        "data/sequences/{dataset}.log",
    threads: ALL_CORES
    resources:
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        section=lambda w: section(PARAMS.dataset(w.dataset)),
        code=lambda w: code("data.parse", f"data.datasets.{w.dataset}"),
        raw=subpath(input.manifest, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "read and count the recordings of {wildcards.dataset}"
    shell:
        "pstl parse {wildcards.dataset} --raw {params.raw} --out {params.out} --jobs {threads} 2>&1 | tee {log} >&2"


rule recordings:
    input:
        manifest=rules.fetch.output.manifest,
    output:
        meta="data/recordings/{dataset}/meta.json",
        files=files_of("data/recordings/{dataset}/meta.json"),
    log:
        "data/recordings/{dataset}.log",
    threads: ALL_CORES
    resources:
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        section=lambda w: section(PARAMS.dataset(w.dataset)),
        code=lambda w: code("data.parse", f"data.datasets.{w.dataset}"),
        raw=subpath(input.manifest, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "read the untrimmed recordings of {wildcards.dataset}"
    shell:
        "pstl parse {wildcards.dataset} --untrimmed --raw {params.raw} --out {params.out} --jobs {threads} 2>&1 | tee {log} >&2"


rule prepare:
    input:
        meta=rules.parse.output.meta,
        files=rules.parse.output.files,
    output:
        meta="data/arrays/{dataset}/{recipe}/meta.json",
        files=files_of("data/arrays/{dataset}/{recipe}/meta.json"),
    log:
        "data/arrays/{dataset}/{recipe}.log",
    threads: ALL_CORES
    resources:
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        section=lambda w: section(recipes()[w.recipe]),
        code=lambda w: code(
            "data.prepare",
            f"data.datasets.{w.dataset}",
            f"data.recipes.{recipes()[w.recipe].name}",
        ),
        sequences=subpath(input.meta, parent=True),
        out=subpath(output.meta, parent=True),
    message:
        "apply {wildcards.recipe} to {wildcards.dataset}"
    shell:
        "pstl prepare {wildcards.dataset} --recipe {params.section:q}"
        " --sequences {params.sequences} --out {params.out} --jobs {threads} 2>&1 | tee {log} >&2"


rule labels:
    input:
        meta=rules.parse.output.meta,
        files=rules.parse.output.files,
    output:
        ranking="data/labels/{dataset}/{split}/{label_rule}/d{draw}.json",
    log:
        "data/labels/{dataset}/{split}/{label_rule}/d{draw}.log",
    params:
        code=lambda w: code("data.labels", f"data.datasets.{w.dataset}"),
        sequences=subpath(input.meta, parent=True),
    message:
        "draw {wildcards.draw} of the labelled clips of {wildcards.dataset}/{wildcards.split}, rule {wildcards.label_rule}"
    shell:
        "pstl labels {wildcards.dataset} --sequences {params.sequences} --split {wildcards.split}"
        " --rule {wildcards.label_rule} --draw {wildcards.draw} --out {output.ranking} 2>&1 | tee {log} >&2"


rule leakage:
    input:
        array=rules.prepare.output.meta,
        files=rules.prepare.output.files,
    output:
        report="data/leakage/{dataset}/{recipe}/{split}.json",
    log:
        "data/leakage/{dataset}/{recipe}/{split}.log",
    params:
        code=lambda w: code("data.prepare", f"data.datasets.{w.dataset}"),
        array=subpath(input.array, parent=True),
    message:
        "check that no test clip of {wildcards.dataset}/{wildcards.split} is trained on"
    shell:
        "pstl leakage --array {params.array} --split {wildcards.split} --out {output.report} 2>&1 | tee {log} >&2"
