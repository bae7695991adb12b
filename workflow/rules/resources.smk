# What jobs ask of a machine. One machine looks at `gpu` and threads only; a cluster also needs memory and minutes, and ends jobs that
# exceed them: both grow with the data and with every attempt, and training goes on from its last epoch.
from pstl import plan
from pstl.train import devices


def allowed(resource):
    """How much of a resource all jobs together may claim."""
    limit = workflow.global_resources[resource]
    return getattr(limit, "value", limit)


ON_CLUSTER = not workflow.local_exec or workflow.remote_exec  # where the machine that plans says nothing about those that work
GPUS = 0 if ON_CLUSTER else len(devices.present())
GPU = int(ON_CLUSTER or GPUS > 0)  # of a job that trains an encoder

if GPUS and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)  # as many such jobs at a time as there are GPUs; --resources gpu=N allows fewer, or more
if ON_CLUSTER:
    os.environ.update({devices.HIDE: "1"})
if GPUS:
    os.environ.update({devices.SHARES: str(-(-allowed("gpu") // GPUS))})

SLOW = 100  # items a second: what time limits assume of the slowest device anybody trains on


def array_mb(wildcards):
    """MiB of the array a job reads."""
    return plan.array_bytes(run_of(wildcards).dataset, method_of(wildcards).recipe) >> 20


def memory(wildcards, attempt):
    """MiB of a job that holds an array and a network."""
    return (4000 + array_mb(wildcards) * 5 // 4) * attempt


def minutes_of_training(wildcards, attempt):
    """Time limit of a pre-training."""
    run = run_of(wildcards)
    items = plan.items(method_of(wildcards), plan.facts(run.dataset).split(run.split)[0])
    return (60 + items // SLOW // 60) * attempt


def minutes_of_task(wildcards, attempt):
    """Time limit of a task: a few hours where it trains, less where it reads features."""
    return (240 if "encoder" in needed_by(wildcards) else 30) * attempt


def probe_of(wildcards):
    """The group that small jobs are in, so that a probe does not wait in a queue of its own; tasks that train are no small jobs."""
    return None if "encoder" in needed_by(wildcards) else "probes"
