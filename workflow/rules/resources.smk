# What jobs ask of a machine. One machine looks at `gpu` and threads only; a cluster also needs
# memory and minutes, and ends jobs that exceed them: both grow with the data and every attempt,
# and training goes on from its last epoch.
from pstl import environment
from pstl.plan import sizes
from pstl.train import devices

GPUS = 0 if workflow.remote_exec else len(devices.present())  # of the machine one types on

if GPUS and "gpu" not in workflow.global_resources:
    workflow.register_resource(
        "gpu", GPUS
    )  # as many such jobs at a time as there are GPUs; --resources gpu=N allows fewer, or more
if workflow.remote_exec:
    os.environ.update({environment.HIDE_GPUS: "1"})


def on_cluster():
    """Whether jobs run on machines of which this one knows nothing.

    Asked late: the executor is chosen after the rules are read.
    """
    return workflow.remote_exec or not workflow.local_exec


def allowed(resource):
    """How much of a resource all jobs together may claim."""
    limit = workflow.global_resources[resource]
    return getattr(limit, "value", limit)


if GPUS:
    os.environ.update({environment.JOBS_PER_GPU: str(-(-allowed("gpu") // GPUS))})


def gpu_of_training(wildcards):
    """One GPU where there is one.

    More than one: as many processes, under torchrun; --set-resources pretrain:gpu=4.
    """
    return int(GPUS > 0 or on_cluster())


def gpu_of_features(wildcards):
    """On a cluster the CPU will do: a probe must not wait for a GPU."""
    return int(GPUS > 0 and not on_cluster())


def gpu_of_task(wildcards):
    """A task that reads features needs none."""
    return gpu_of_training(wildcards) if job.reads_encoder(wildcards) else 0


SLOW = 100  # items a second: what time limits assume of the slowest device anybody trains on


def array_mb(wildcards):
    """MiB of the array a job reads."""
    return sizes.array_bytes(job.run(wildcards).dataset, job.method(wildcards).recipe) >> 20


def memory(wildcards, attempt):
    """MiB of a job that holds an array and a network."""
    return (4000 + array_mb(wildcards) * 5 // 4) * attempt


def memory_of_training(wildcards, attempt):
    """MiB of a job that holds a network and all that it is trained on."""
    size = sizes.training_bytes(PARAMS, job.run(wildcards)) >> 20
    return (4000 + size * 5 // 4) * attempt


def minutes_of_training(wildcards, attempt):
    """Time limit of a pre-training."""
    run = job.run(wildcards)
    items = sizes.items(job.method(wildcards), sizes.training_clips(PARAMS, run))
    return (60 + items // SLOW // 60) * attempt


def minutes_of_task(wildcards, attempt):
    """Time limit of a task: a few hours where it trains, less where it reads features."""
    return (240 if job.reads_encoder(wildcards) else 30) * attempt


def probe_of(wildcards):
    """The group of small jobs, so that a probe does not wait in a queue of its own.

    Tasks that train are no small jobs.
    """
    return None if job.reads_encoder(wildcards) else "probes"


def minutes_of_features(wildcards, attempt):
    """Time limit of encoding both sides of a split."""
    return 60 * attempt


def reading_memory(wildcards, attempt):
    """MiB of a job that reads or prepares recordings."""
    return 8000 * attempt


def reading_minutes(wildcards, attempt):
    """Time limit of reading or preparing a data set."""
    return 240 * attempt
