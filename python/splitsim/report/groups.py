"""Groups of runs that differ in seeds only, and which axis tells series in a figure apart.

Axes that vary together (lds has a delta, ugs has none) are one composite axis: where the pairs of labels of two axes
are not their full crossing, the two are merged. Figures draw one series per label of one (composite) axis, and one
panel per combination of the others.
"""

import dataclasses

from splitsim.errors import InputError

MOST_PANELS = 9


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs with the same labels of all axes but seeds. runs: names, in plan order."""

    labels: tuple  # one per axis of Grouping.axes
    name: str  # short, unique
    series: str  # short label within a panel
    panel: str  # "" where there is one panel
    runs: tuple


@dataclasses.dataclass(frozen=True)
class Grouping:
    axes: tuple  # splitsim.frames.Axis that are no seeds
    seeds: tuple  # those that are
    composites: tuple  # tuples of names: the axes, those that vary together as one
    series_axis: tuple  # the composite that tells series apart; () where there are no axes
    groups: tuple  # of Group, in the order of the axes' values

    @property
    def series(self):
        return tuple(dict.fromkeys(group.series for group in self.groups))

    @property
    def panels(self):
        return tuple(dict.fromkeys(group.panel for group in self.groups))

    def position(self, name):
        return [axis.name for axis in self.axes].index(name)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def short_labels(names, tuples):
    """A short text for each tuple of labels: words stand alone, numbers and truth values get their key's last part."""

    def text(labels, full):
        parts = []
        for name, label in zip(names, labels):
            if label == "":
                continue
            if full:
                parts.append(f"{name} = {label}")
            elif _is_number(label) or label in ("true", "false"):
                parts.append(f"{name.rsplit('.', 1)[-1]} = {label}")
            else:
                parts.append(label)
        return ", ".join(parts) or ("none" if names else "")

    for full in (False, True):
        texts = [text(labels, full) for labels in tuples]
        if len(set(texts)) == len(set(tuples)):
            return texts
    return [", ".join(f"{name} = {label}" for name, label in zip(names, labels)) for labels in tuples]


def _composites(axes, combinations):
    """Merges axes until the labels of any two composites are fully crossed."""
    parts = [(at,) for at in range(len(axes))]

    def seen(part):
        return {tuple(combination[at] for at in part) for combination in combinations}

    merged = True
    while merged:
        merged = False
        for i in range(len(parts)):
            for j in range(i + 1, len(parts)):
                if len(seen(parts[i] + parts[j])) < len(seen(parts[i])) * len(seen(parts[j])):
                    parts[i] = tuple(sorted(parts[i] + parts[j]))
                    del parts[j]
                    merged = True
                    break
            if merged:
                break
    return tuple(tuple(axes[at].name for at in part) for part in parts)


def group_runs(frames, series=None):
    """series: name of the axis that tells series apart; default sampler.kind if it is one, else the first."""
    axes = tuple(axis for axis in frames.axes if not axis.seed)
    seeds = tuple(axis for axis in frames.axes if axis.seed)
    names = [axis.name for axis in axes]
    if series is not None and series not in names:
        raise InputError(
            f"--series {series}: no such axis; allowed: {', '.join(names) or 'none, for there is no axis'}"
        )
    members = {}
    for row in frames.runs[["run", *names]].itertuples(index=False):
        members.setdefault(tuple(row[1:]), []).append(row[0])
    order = [{label: at for at, label in enumerate(axis.values)} for axis in axes]
    combinations = sorted(members, key=lambda labels: [o.get(label, len(o)) for o, label in zip(order, labels)])
    composites = _composites(axes, combinations)
    varying = [at for at in range(len(axes)) if len({labels[at] for labels in combinations}) > 1]

    def part(at):
        """Short labels of these axes, of those that vary."""
        at = [i for i in at if i in varying]
        return short_labels([names[i] for i in at], [tuple(labels[i] for i in at) for labels in combinations])

    def places(composite):
        return [names.index(name) for name in composite]

    def rest_of(composite):
        return [at for at in range(len(names)) if names[at] not in composite]

    differing = [names[at] for at in varying]
    wanted = series or ("sampler.kind" if "sampler.kind" in differing else differing[0] if differing else None)
    series_axis = next((c for c in composites if wanted in c), ())
    panels = len(set(part(rest_of(series_axis))))
    if series is None and panels > max(MOST_PANELS, len(set(part(places(series_axis))))):
        series_axis = tuple(names[at] for at in rest_of(series_axis))  # many lines in few panels
    own, rest = places(series_axis), rest_of(series_axis)
    groups = tuple(
        Group(labels, name or "all runs", s or "all runs", p, tuple(members[labels]))
        for labels, name, s, p in zip(combinations, part(range(len(names))), part(own), part(rest))
    )
    return Grouping(axes, seeds, composites, tuple(name for name in series_axis if name in differing), groups)
