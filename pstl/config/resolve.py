"""Entries of methods and tasks as one suite sees them: base, entry, the suite's changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pstl.config.document import Document
from pstl.config.settings import TRANSFER, MethodSettings, TaskSettings, merge
from pstl.config.validation import Where, known, validated
from pstl.errors import UserError
from pstl.registry import names as plugin_names

Section = dict[str, Any]
TRAINING = ("train", "labels", "label_rule", "corpus")  # of a method: what weights have behind them
DESCRIPTION = {"summary", "published"}  # of a task: what it may say and still evaluate alike


@dataclass(frozen=True)
class Entries:
    """Entries of `methods` and `tasks` in params.yaml, with what a suite changes of them.

    documents: the files that say something about them, what counts most first.
    """

    methods: Mapping[str, Section]
    tasks: Mapping[str, Section]
    method_changes: Mapping[str, Section]
    task_changes: Mapping[str, Section]
    documents: tuple[Document, ...] = ()

    def method(self, name: str) -> MethodSettings:
        """A method entry: what it is based on, itself, then the suite's changes to both.

        Raises: UserError for an unknown entry, or settings that are none.
        """
        chain = self.chain(name)
        section: Section = {"method": chain[0]}
        for part in chain:
            change = self._changed_method(part)
            section = merge(section, change)
            self._check_untrained(part, change, bool(section.get("weights")))
        section.pop("base", None)
        where = self.where("methods", name, chain[-2::-1])
        _known_plugin("methods", section["method"], name, where)
        settings: MethodSettings = validated(MethodSettings, section, where)
        _known_plugin("backbones", settings.encoder.name, name, where)
        _known_plugin("data.recipes", settings.recipe.name, name, where)
        if settings.weights:
            place = where.below("weights", "source")
            what = f"source of the weights of methods.{name}"
            known(settings.weights.source, plugin_names("importers"), what, place)
        return settings

    @property
    def method_names(self) -> set[str]:
        """Names of all method entries."""
        return self.methods.keys() | self.method_changes.keys()

    def chain(self, name: str) -> list[str]:
        """The entries a method entry is made of, its most distant base first, itself last."""
        methods = self.method_names
        entries = [known(name, methods, "method")]
        while base := self._changed_method(entries[0]).get("base"):
            where = self.where("methods", entries[0]).below("base")
            if base in entries:
                named = where.text()
                raise UserError(f"{named}: {base!r} refers back to itself; remove one 'base:'")
            entries.insert(0, known(base, methods, "method", where))
        return entries

    def task(self, name: str, protocol: str = "") -> TaskSettings:
        """A task entry, as all methods share it or as the protocol of a method entry has it.

        protocol: a method entry; empty for the shared settings.
        """
        section = self._task(name, self.protocol(protocol) if protocol else {}, True)
        where = self.where("tasks", name)
        settings: TaskSettings = validated(TaskSettings, section, where)
        known(settings.kind, plugin_names("tasks"), f"kind of tasks.{name}", where.below("kind"))
        return settings

    def kind(self, name: str) -> str:
        """Module of a task entry."""
        return self.task(name).kind

    def protocol(self, method: str) -> dict[str, Section]:
        """How the paper of a method entry evaluates: task entry -> changes of its settings."""
        changes = self.method(method).protocol
        return {task: part for task, part in changes.items() if not isinstance(part, str)}

    def protocol_of(self, method: str, task: str) -> str:
        """The entry that states the protocol of a task for a method entry, itself or a base.

        Returns: empty where the shared settings are what the protocol says, or where there is none.
        """
        stated = self._stating(method, task)
        return stated if stated and self.task(task, stated) != self.task(task) else ""

    def as_in_paper(self, method: str, task: str, protocol: str, source: str) -> bool:
        """Whether a task is evaluated as the paper of a method entry does.

        protocol: as of task().   source: data set whose encoder is used; empty for the run's own.
        """
        owner = self._stating(method, task)
        moved_by = self.method(method).protocol.get(TRANSFER)
        if not owner or (source and moved_by != task):
            return False
        used = self._task(task, self.protocol(protocol) if protocol else {}, True)
        unchanged = self._task(task, self.protocol(owner), False)
        return _evaluation(used) == _evaluation(unchanged)

    def where(self, kind: str, name: str, bases: list[str] | None = None) -> Where:
        """Where an entry stands.   kind: methods or tasks.   bases: nearest first."""
        names = [name, *(bases or [])]
        places = [(document, (kind, each)) for each in names for document in self.documents]
        return Where(f"{kind}.{name}", tuple(places))

    def _check_untrained(self, entry: str, change: Section, has_weights: bool) -> None:
        """Raises: UserError for an entry that says how weights are trained that others trained."""
        stated = [key for key in TRAINING if key in change] if has_weights else []
        if stated:
            place = self.where("methods", entry).below(stated[0]).text()
            raise UserError(
                f"{place}: beside weights that others trained, which nobody trains here; "
                f"take {stated[0]} or weights out (weights: null trains what the base has)"
            )

    def _stating(self, method: str, task: str) -> str:
        """The last entry of a method's chain whose protocol says something about a task."""
        names = self._task_chain(task)
        for entry in reversed(self.chain(method)):
            stated = self._changed_method(entry).get("protocol") or {}
            if any(name in stated for name in names):
                return entry
        return ""

    def _task_chain(self, name: str) -> list[str]:
        """A task entry and the entries it is based on, its most distant base last."""
        tasks = self.tasks.keys() | self.task_changes.keys()
        entries = [known(name, tasks, "task")]
        while base := self._changed_task(entries[-1]).get("base"):
            where = self.where("tasks", entries[-1]).below("base")
            if base in entries:
                raise UserError(f"{where.text()}: {base!r} refers back to itself; remove it")
            entries.append(known(base, tasks, "task", where))
        return entries

    def _task(self, name: str, protocol: Mapping[str, Section], changed: bool) -> Section:
        """Settings of a task entry; its module is that of its name, or else that of its base.

        changed: whether with the suite's changes.
        """
        section: Section = {}
        for part in reversed(self._task_chain(name)):
            entry, change = self.tasks.get(part, {}), self.task_changes.get(part, {})
            layer = merge(entry, merge(protocol.get(part, {}), change if changed else {}))
            layer.pop("base", None)
            if not section or part in plugin_names("tasks"):
                section["kind"] = part
            section = merge(section, layer)
        return section

    def _changed_method(self, name: str) -> Section:
        return merge(self.methods.get(name, {}), self.method_changes.get(name, {}))

    def _changed_task(self, name: str) -> Section:
        return merge(self.tasks.get(name, {}), self.task_changes.get(name, {}))


def _known_plugin(kind: str, plugin: Any, entry: str, where: Where) -> None:
    """Raises: UserError if a method entry names a module that there is not."""
    part = {"methods": "method", "backbones": "encoder", "data.recipes": "recipe"}[kind]
    known(plugin, plugin_names(kind), f"{part} of methods.{entry}", where.below(part))


def _evaluation(section: Section) -> Section:
    """The part of a task's settings that decides its numbers."""
    return {key: value for key, value in section.items() if key not in DESCRIPTION}
