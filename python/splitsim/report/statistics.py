"""The numbers of a report (docs/reports.md says what each means).

Means and sample standard deviations (n - 1) are over the completed runs of a group. Paired differences are of runs
that differ in the baseline's axis only, seeds included; their interval is Student's t on the differences, and there is
none for fewer than two pairs. Times to accuracy count diverged runs too: a run that ended without reaching a target has
not reached it.
"""

import dataclasses
import math

import numpy as np
from scipy import special

from splitsim.errors import InputError


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of a run. key: column of frames.runs, or a sum 'a+b'; scale: to the unit of the tables."""

    key: str
    title: str
    unit: str = ""
    scale: float = 1.0
    digits: int = 4  # decimals; negative: significant digits
    better: int = 0  # 1: more is better, -1: less is better, 0: neither

    @property
    def heading(self):
        return f"{self.title} [{self.unit}]" if self.unit else self.title


METRICS = {
    m.key: m
    for m in (
        Metric("test_accuracy", "test accuracy", "%", 100.0, 2, 1),
        Metric("best.test_accuracy", "best accuracy", "%", 100.0, 2, 1),
        Metric("test_macro_f1", "macro F1", "%", 100.0, 2, 1),
        Metric("validation_accuracy", "validation accuracy", "%", 100.0, 2, 1),
        Metric("personal_accuracy", "personal accuracy", "%", 100.0, 2, 1),
        Metric("personal_accuracy_worst", "worst-tenth accuracy", "%", 100.0, 2, 1),
        Metric("test_loss", "test loss", "", 1.0, 4, -1),
        Metric("batch_deviation_mean", "batch deviation", "L1", 1.0, 4, -1),
        Metric("batch_drift_mean", "batch drift", "L1", 1.0, 4, -1),
        Metric("virtual_time_s", "virtual time", "s", 1.0, -4, -1),
        Metric("wall_time_s", "wall time", "s", 1.0, -3, -1),
        Metric("bytes_up+bytes_down", "traffic", "MiB", 2.0**-20, -4, -1),
        Metric("bytes_up", "traffic up", "MiB", 2.0**-20, -4, -1),
        Metric("bytes_down", "traffic down", "MiB", 2.0**-20, -4, -1),
        Metric("waiting_share_mean", "waiting share", "%", 100.0, 2, -1),
        Metric("waiting_share_max", "largest waiting share", "%", 100.0, 2, -1),
    )
}
DEFAULT_METRICS = (
    "test_accuracy",
    "batch_deviation_mean",
    "virtual_time_s",
    "bytes_up+bytes_down",
    "waiting_share_mean",
)


def metric_of(key, columns):
    """A metric by its key; any numeric column of frames.runs is one. Error: unknown."""
    if key in METRICS:
        return METRICS[key]
    if key not in columns:
        raise InputError(f"--metric {key}: no such figure; allowed: {', '.join(METRICS)}, or a number of summary.json")
    return Metric(key, key, digits=-5)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Mean, sample standard deviation (NaN for n < 2) and number of values."""

    mean: float
    std: float
    n: int


def estimate(values):
    """Of the finite values."""
    values = np.asarray([v for v in values if v is not None and math.isfinite(v)], dtype=float)
    if not len(values):
        return Estimate(math.nan, math.nan, 0)
    return Estimate(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan, len(values))


def value_of(runs, metric):
    """Run -> value of a metric in its unit; NaN where a run has none. runs: frames.runs indexed by run."""
    total = 0.0
    for key in metric.key.split("+"):
        if key not in runs:
            return {run: math.nan for run in runs.index}
        column = runs[key]
        try:
            total = total + column.astype(float)
        except (ValueError, TypeError):
            raise InputError(f"--metric {metric.key}: '{key}' is not a number in every run") from None
    return (total * metric.scale).to_dict()


def counts(statuses):
    """Status -> how many, of those that there are."""
    return {
        status: statuses.count(status)
        for status in ("completed", "diverged", "failed", "interrupted", "waiting")
        if status in statuses
    }


@dataclasses.dataclass(frozen=True)
class Reached:
    """Virtual time to a target. times: of the runs that reached it, sorted; n: completed and diverged runs."""

    target: float
    times: tuple
    n: int

    @property
    def median(self):
        """Over all n; a run that has not reached it counts as later than any. inf: half have not; NaN: n = 0."""
        if not self.n:
            return math.nan
        padded = list(self.times) + [math.inf] * (self.n - len(self.times))
        low, high = padded[(self.n - 1) // 2], padded[self.n // 2]
        return low if low == high else (low + high) / 2

    @property
    def estimate(self):
        """Over those that reached it, which flatters a group of which few did."""
        return estimate(self.times)


def time_to(evaluations, target):
    """Virtual time of the first test that reaches a target, or None. evaluations: one run's, in order."""
    hits = evaluations["virtual_time_s"].to_numpy()[evaluations["accuracy"].to_numpy(dtype=float) >= target]
    return float(hits[0]) if len(hits) else None


def times_to(frames, target):
    """Run -> time or None, of completed and diverged runs."""
    by_run = dict(tuple(frames.evaluations.groupby("run", sort=False))) if len(frames.evaluations) else {}
    ended = frames.runs[frames.runs["status"].isin(["completed", "diverged"])]["run"]
    return {run: time_to(by_run[run], target) if run in by_run else None for run in ended}


def reached(group, times, target):
    own = [times[run] for run in group.runs if run in times]
    return Reached(target, tuple(sorted(t for t in own if t is not None)), len(own))


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean of (group - baseline) over pairs. half: half width of the interval, NaN for n < 2; of: runs of the group."""

    group: object
    baseline: object
    mean: float
    std: float
    half: float
    n: int
    of: int

    @property
    def low(self):
        return self.mean - self.half

    @property
    def high(self):
        return self.mean + self.half


def t_quantile(p, degrees):
    """Of Student's t."""
    return float(special.stdtrit(degrees, p))


def find_baseline(grouping, text):
    """AXIS=LABEL[,AXIS=LABEL...] -> (composite axis, its labels). Errors: no such axis or label; several composites."""
    names = [axis.name for axis in grouping.axes]
    wanted = {}
    for part in text.split(","):
        name, equals, label = part.partition("=")
        if not equals or name not in names:
            raise InputError(
                f"--baseline {text}: '{name}' is no axis; allowed: AXIS=VALUE with an axis of "
                f"{', '.join(names) or 'a sweep; here there is none'}"
            )
        values = grouping.axes[names.index(name)].values
        if label not in values:
            raise InputError(f"--baseline {text}: '{name}' has no '{label}'; allowed: {', '.join(values)}")
        wanted[name] = label
    axes = tuple(
        name for composite in grouping.composites if any(name in composite for name in wanted) for name in composite
    )
    at = [names.index(name) for name in axes]
    found = list(
        dict.fromkeys(
            tuple(group.labels[i] for i in at)
            for group in grouping.groups
            if all(group.labels[names.index(n)] == label for n, label in wanted.items())
        )
    )
    if len(found) != 1:
        several = "; ".join(",".join(f"{n}={label}" for n, label in zip(axes, labels)) for labels in found)
        raise InputError(
            f"--baseline {text}: " + (f"that is several: name one of {several}" if found else "no run has it")
        )
    return axes, found[0]


def paired(grouping, baseline, values, seeds, confidence=0.95):
    """Differences of every group but the baselines, in the order of groups.

    baseline: as find_baseline() gives it; values: run -> number, of the runs that count; seeds: run -> labels of seeds.
    """
    axes, labels = baseline
    at = [grouping.position(name) for name in axes]

    def without(group):
        return tuple(label for i, label in enumerate(group.labels) if i not in at)

    bases = {without(group): group for group in grouping.groups if tuple(group.labels[i] for i in at) == labels}
    differences = []
    for group in grouping.groups:
        base = bases.get(without(group))
        if base is None or base is group:
            continue
        partners = {seeds[run]: run for run in base.runs}
        pairs = [(values.get(run, math.nan), values.get(partners.get(seeds[run]), math.nan)) for run in group.runs]
        found = estimate([a - b for a, b in pairs])
        half = (
            t_quantile((1 + confidence) / 2, found.n - 1) * found.std / math.sqrt(found.n) if found.n > 1 else math.nan
        )
        differences.append(Difference(group, base, found.mean, found.std, half, found.n, len(group.runs)))
    return differences
