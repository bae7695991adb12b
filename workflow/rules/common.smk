# Settings, read and checked once before the first job.
# What a job reads and runs stands in pstl/graph.py; pstl/rules.py asks there for the rules.
import os
import sys
from pathlib import Path

from pstl import environment, interruption, owner, paths
from pstl.config import FUSED, digest
from pstl.rule_options import fork_socket, load_checked, prologue
from pstl.rules import Rules

STREAMS = r"(?:joint|bone|motion|other)"
SEED = r"(?:labels=[^/]+/)?s\d+"
RUN = rf"[^/]+/[^/]+/[^/]+/{STREAMS}/{SEED}"  # dataset/split/method/stream/s<seed>


wildcard_constraints:
    suite=r"[^/]+",
    dataset=r"[^/]+",
    recipe=r"[^/]+",
    split=r"[^/]+",
    run=RUN,
    fused_run=rf"[^/]+/[^/]+/[^/]+/{FUSED}/{SEED}",
    label_rule=r"[^/]+",
    draw=r"\d+",
    batch_norm=r"released|recalibrated",
    cell=r"[^/]+",  # task and axes, as Cell.name builds it
    # dataset/split of the run whose encoder is used; empty: the run's own
    origin=r"(?:/from/[^/]+/[^/]+)?",
    # what the feature of a clip is; empty: the encoder's own
    pooled=r"(?:/pooled/[^/]+)?",


# Plug-ins are not checked again in the jobs that a cluster starts: that may import torch.
if workflow.is_main_process:
    owner.announce()
    interruption.heed()
OPTIONS, PARAMS, SUITE = load_checked(config, plugins=workflow.is_main_process)
if OPTIONS.container:

    container: OPTIONS.container


# Inputs and outputs lie in object storage.
STORED = workflow.storage_settings.default_storage_provider is not None
job = Rules(PARAMS, STORED)

# The folder of workflow/: that of the Snakefile on top, or what an installed package carries.
RULES = workflow.current_basedir.get_path_or_uri(secret_free=True)
SOURCES = os.path.dirname(os.path.dirname(RULES))
# Snakemake formats it.
shell.prefix(prologue(OPTIONS, PARAMS, SOURCES, STORED).replace("{", "{{").replace("}", "}}"))


def heed_signals():
    """End the jobs, too, and within seconds: Snakemake waits for them by itself, however long."""
    interruption.heed(interruption.end_jobs, interruption.LONGER_S)


def serve_forks():
    """Import torch once for the many small jobs of this machine (workflow/preloaded.py)."""
    if sys.platform == "linux" and not (
        STORED or OPTIONS.container or on_cluster() or environment.are_jobs_fresh()
    ):
        # As a job's line: with the same variables.
        shell(
            f'python "$preloaded" serve {fork_socket()} {os.getpid()}'
            " </dev/null >.snakemake/preloaded.log 2>&1 &"
            # The first job would not find it; a server that ends at once costs these seconds only.
            f" for _ in {{{{1..250}}}}; do [ -S {fork_socket()} ] && break; sleep 0.02; done",
            threads=1,
        )
