"""The command line: every verb is a file-to-file function of the library.

Progress goes to standard error, results to files.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.exceptions import TyperException

from pstl.commands import (
    checks,
    data,
    evaluation,
    predicting,
    project,
    report,
    speed,
    training,
    watching,
    weights,
)
from pstl.commands.program import options_before_the_verb
from pstl.commands.verb import Program, Verb, log_to_stderr, one_line_errors, say, usage_error

HELP = {"help_option_names": ["-h", "--help"]}
# Group in the help -> verb -> the function that it calls.
VERBS: dict[str, dict[str, Callable[..., None]]] = {
    "Every day": {
        "init": project.init,
        "check": checks.check,
        "predict": predicting.predict,
        "embed": weights.embed,
        "show": weights.show,
    },
    "Data": {
        "doctor": checks.doctor,
        "fetch": data.fetch,
        "parse": data.parse,
        "prepare": data.prepare,
        "leakage": data.leakage,
        "labels": data.labels,
    },
    "Training": {
        "plan": checks.plan,
        "pretrain": training.pretrain,
        "trace": training.trace,
    },
    "Evaluation": {
        "features": evaluation.features,
        "evaluate": evaluation.evaluate,
        "fuse": evaluation.fuse,
        "compare": evaluation.compare,
        "score-detections": evaluation.score_detections,
    },
    "Report": {
        "report": report.report,
        "page": report.page,
        "quote": report.quote,
        "index": report.index,
        "papers": report.papers,
        "rebuild": report.rebuild,
        "track": report.track,
        "watch": report.watch,
        "ui": report.ui,
    },
    "Weights": {
        "import-weights": weights.import_weights,
        "import-run": weights.import_run,
        "export": weights.export,
        "live": watching.live,
    },
    "This machine and package": {
        "list": checks.list_plugins,
        "bench": speed.bench,
    },
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb. What a person can put right is one line on stderr and exit code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    log_to_stderr()
    try:
        with one_line_errors("pstl"):
            code = program().main(
                words or ["--help"], prog_name="pstl", standalone_mode=False, obj=words
            )
    except TyperException as error:
        sys.exit(say(f"pstl: {usage_error(error)}", 2))
    if not words:
        sys.exit(2)
    if code is not None:
        sys.exit(code)


@cache
def program() -> Any:
    """The command line's parser: a typer group of all verbs."""
    app = typer.Typer(
        cls=Program,
        add_completion=False,  # its flags do not heed a shell's name: commands/program.py has ours
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP,
    )
    app.callback()(options_before_the_verb)
    for group, verbs in VERBS.items():
        for name, function in verbs.items():
            summary = (inspect.getdoc(function) or "").partition("\n\n")[0].removesuffix(".")
            verb = app.command(
                name,
                cls=Verb,
                short_help=summary,
                rich_help_panel=group,
                context_settings=HELP,
            )
            verb(function)
    completion_init()
    return typer.main.get_command(app)
