"""The tables of a report, from frames."""

import dataclasses

from splitsim.report import statistics as st
from splitsim.report.tables import Cell, Table, decimals_of, estimate_cell, number


@dataclasses.dataclass(frozen=True)
class Options:
    metrics: tuple = ()  # of statistics.Metric
    targets: tuple = ()  # accuracies 0..1
    baseline: tuple = ()  # as statistics.find_baseline() gives it; () for none
    baseline_text: str = ""
    confidence: float = 0.95


def _label_columns(grouping):
    return tuple(axis.name for axis in grouping.axes) or ("runs",)


def _labels(grouping, group):
    return group.labels if grouping.axes else (group.name,)


def _statuses(frames):
    return dict(zip(frames.runs["run"], frames.runs["status"]))


def _completed(frames, values):
    """The values of completed runs."""
    statuses = _statuses(frames)
    return {run: value for run, value in values.items() if statuses[run] == "completed"}


def values_of(frames, metrics):
    """Metric key -> run -> value, of completed runs."""
    by_run = frames.runs.set_index("run")
    return {metric.key: _completed(frames, st.value_of(by_run, metric)) for metric in metrics}


def seeds_of(frames, grouping):
    """Run -> labels of its seeds."""
    names = [axis.name for axis in grouping.seeds]
    return {row[0]: tuple(row[1:]) for row in frames.runs[["run", *names]].itertuples(index=False)}


def _counted(group, statuses):
    """'3' of three completed runs, else '2 of 3'."""
    own = [statuses[run] for run in group.runs]
    done = own.count("completed")
    return Cell(str(done) if done == len(own) else f"{done} of {len(own)}", done)


def percent(share):
    return f"{100 * share:g} %"


def groups_table(frames, grouping, options):
    values, statuses = values_of(frames, options.metrics), _statuses(frames)
    digits = [decimals_of(values[m.key].values(), m.digits) for m in options.metrics]
    rows = []
    head = [*_label_columns(grouping), "runs", "completed", "diverged", "failed", "interrupted", "waiting"]
    plain = [head + [f"{m.heading} {what}" for m in options.metrics for what in ("mean", "std", "n")]]
    for group in grouping.groups:
        found = [st.estimate([values[m.key].get(run) for run in group.runs]) for m in options.metrics]
        completed = _counted(group, statuses)
        # A figure that fewer runs have than completed says its own n.
        cells = [estimate_cell(e, d, show_n=e.n not in (0, completed.value)) for e, d in zip(found, digits)]
        rows.append((Cell(group.name, group.name), completed, *cells))
        own = st.counts([statuses[run] for run in group.runs])
        plain.append(
            [*_labels(grouping, group), len(group.runs), *(own.get(s, 0) for s in head[-5:])]
            + [v for e in found for v in (e.mean, e.std, e.n)]
        )
    note = (
        "Mean +- sample standard deviation over the n completed runs of a group, which differ in seeds only; "
        "no deviation for n = 1. Accuracies are those of the last test at an epoch's end."
    )
    return Table(
        "groups",
        "Means over seeds",
        note,
        ("group", "n", *(m.heading for m in options.metrics)),
        tuple(rows),
        tuple(plain),
    )


def times_table(frames, grouping, options):
    times = {target: st.times_to(frames, target) for target in options.targets}
    digits = decimals_of([t for of_target in times.values() for t in of_target.values()], -4)
    rows = []
    plain = [[*_label_columns(grouping), "target", "reached", "n", "median", "mean of reached", "std of reached"]]
    for group in grouping.groups:
        cells = [Cell(group.name, group.name)]
        for target in options.targets:
            r = st.reached(group, times[target], target)
            share = f" ({len(r.times)} of {r.n})"
            if not r.n:
                cells.append(Cell("-", None))
            elif not r.times:
                cells.append(Cell("not reached" + share, None))
            else:
                cells.append(Cell(estimate_cell(r.estimate, digits).text + share, r.estimate.mean))
            plain.append(
                [*_labels(grouping, group), target, len(r.times), r.n, r.median, r.estimate.mean, r.estimate.std]
            )
        rows.append(tuple(cells))
    note = (
        "Virtual time of the first test (of the validation set, where there is one) that reaches the accuracy: mean "
        "+- sample standard deviation over the runs that reached it (how many of n). n counts completed and diverged "
        "runs; a mean of fewer than all flatters its group."
    )
    return Table(
        "times",
        "Virtual time to accuracy [s]",
        note,
        ("group", *(percent(t) for t in options.targets)),
        tuple(rows),
        tuple(plain),
    )


def differences_table(frames, grouping, options):
    columns = [
        (m.heading, m.digits, values) for m, values in zip(options.metrics, values_of(frames, options.metrics).values())
    ]
    for target in options.targets:
        times = {run: time for run, time in _completed(frames, st.times_to(frames, target)).items() if time is not None}
        columns.append((f"time to {percent(target)} [s]", -4, times))
    seeds = seeds_of(frames, grouping)
    level = percent(options.confidence)
    plain = [
        [
            *_label_columns(grouping),
            "baseline",
            "figure",
            "mean difference",
            "std",
            f"low {level}",
            f"high {level}",
            "pairs",
            "runs",
        ]
    ]
    rows = []
    for heading, digits, values in columns:
        digits = decimals_of(values.values(), digits)
        for d in st.paired(grouping, options.baseline, values, seeds, options.confidence):
            sign = "+" if d.mean > 0 else ""
            rows.append(
                (
                    Cell(heading, heading),
                    Cell(d.group.name, d.group.name),
                    Cell(sign + number(d.mean, digits), d.mean) if d.n else Cell("-", None),
                    Cell(f"[{number(d.low, digits)}, {number(d.high, digits)}]", d.low) if d.n > 1 else Cell("-", None),
                    Cell(str(d.n) if d.n == d.of else f"{d.n} of {d.of}", d.n),
                )
            )
            plain.append(
                [*_labels(grouping, d.group), d.baseline.name, heading, d.mean, d.std, d.low, d.high, d.n, d.of]
            )
    note = (
        f"Group less baseline ({options.baseline_text}), paired by seed and the other axes: mean over the pairs in "
        f"which both runs completed and have the figure. Interval of {level}: mean +- t s / sqrt(pairs), Student's t "
        "with pairs - 1 degrees of freedom, s the sample standard deviation of the differences; none for fewer than two "
        "pairs. Not corrected for the number of comparisons. Times to accuracy: pairs in which both reached it."
    )
    return Table(
        "differences",
        f"Differences from {options.baseline_text}",
        note,
        ("figure", "group", "difference", f"{level} interval", "pairs"),
        tuple(rows),
        tuple(plain),
        labels=2,
        sections=True,
    )


def missing_table(frames):
    """Every run that is not completed."""
    listed = frames.runs[frames.runs["status"] != "completed"]
    rows = tuple(
        (Cell(run, run), Cell(status, status), Cell(error or "-", error))
        for run, status, error in listed[["run", "status", "error"]].itertuples(index=False)
    )
    return Table(
        "missing",
        "Runs that are not completed",
        "They are in no mean; diverged ones count among the runs that did not reach an accuracy, unless they had.",
        ("run", "status", "error"),
        rows,
        (("run", "status", "error"), *(tuple(c.text for c in row) for row in rows)),
        labels=3,
    )


def runs_table(frames, options):
    """One row per run."""
    by_run = frames.runs.set_index("run")
    values = [st.value_of(by_run, metric) for metric in options.metrics]
    digits = [decimals_of(v.values(), m.digits) for v, m in zip(values, options.metrics)]
    times = [st.times_to(frames, target) for target in options.targets]
    axes = [axis.name for axis in frames.axes]
    rows = []
    for row in frames.runs[["run", "status", *axes]].itertuples(index=False):
        cells = [Cell(text, text) for text in (row[0], row[1], *row[2:])]
        cells += [Cell(number(v[row[0]], d), v[row[0]]) for v, d in zip(values, digits)]
        cells += [Cell("-" if t.get(row[0]) is None else number(t[row[0]], -4), t.get(row[0])) for t in times]
        rows.append(tuple(cells))
    columns = (
        "run",
        "status",
        *axes,
        *(m.heading for m in options.metrics),
        *(f"time to {percent(t)} [s]" for t in options.targets),
    )
    plain = (columns, *(tuple(cell.value for cell in row) for row in rows))
    return Table("runs", "Runs", "", columns, tuple(rows), plain, labels=2 + len(axes))


def sentence(frames, grouping):
    """What there is, with how many of each status."""
    counted = ", ".join(f"{n} {status}" for status, n in st.counts(list(frames.runs["status"])).items())
    axes = " x ".join(f"{axis.name} ({len(axis.values)})" for axis in grouping.axes)
    seeds = ", ".join(f"{axis.name} ({len(axis.values)})" for axis in grouping.seeds)
    known = [
        f"Axes: {axes}" if axes else "",
        f"seeds: {seeds}" if axes and seeds else f"Seeds: {seeds}" if seeds else "",
    ]
    about = "; ".join(part for part in known if part)
    number_of = len(frames.runs)
    return f"{number_of} run{'s' if number_of != 1 else ''}: {counted}." + (f" {about}." if about else "")


def tables(frames, grouping, options):
    """All but the table of runs."""
    found = [groups_table(frames, grouping, options)]
    if options.targets:
        found.append(times_table(frames, grouping, options))
    if options.baseline:
        found.append(differences_table(frames, grouping, options))
    if (frames.runs["status"] != "completed").any():
        found.append(missing_table(frames))
    return found
