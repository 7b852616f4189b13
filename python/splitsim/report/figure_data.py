"""Frames as the rows of figures, thinned so that a page of many or long runs stays small. Completed runs only."""

import math

import numpy as np
import pandas as pd

CURVE_POINTS = 200  # per group
STEP_BINS = 120  # per group
RANKS = 64  # bins of clients
PARTITIONS = 4
CLIENT_GROUPS = 24
ROWS = 16000  # of a figure: curves and bins get coarser with many groups


def rounded(value, digits=5):
    """What JSON gets; None for what is not finite."""
    if isinstance(value, (str, type(None), bool)):
        return value
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.{digits}g}")


def rows_of(frame):
    return [{name: rounded(value) for name, value in zip(frame.columns, row)} for row in frame.itertuples(index=False)]


def _budget(per_group, grouping):
    return max(10, min(per_group, ROWS // max(len(grouping.groups), 1)))


def _completed(frames, group):
    statuses = dict(zip(frames.runs["run"], frames.runs["status"]))
    return [run for run in group.runs if statuses[run] == "completed"]


def _named(group, label, part):
    part.insert(0, "series", label)
    part.insert(1, "panel", group.panel)
    return part


def _thinned(part, limit):
    """Every m-th row and the last."""
    stride = -(-len(part) // limit)
    keep = np.arange(len(part)) % stride == 0
    keep[-1:] = True
    return part[keep]


def series_labels(frames, grouping):
    """Series -> label: it says so where a panel's group has runs that are not completed."""
    labels = {}
    for group in grouping.groups:
        labels.setdefault(group.series, [0, 0])
        labels[group.series][0] += len(_completed(frames, group))
        labels[group.series][1] += len(group.runs)
    return {
        series: series if done == of else f"{series} ({done} of {of} runs)" for series, (done, of) in labels.items()
    }


def curves(frames, grouping):
    """Mean and deviation of the test accuracy, in per cent, at each test that all completed runs of a group have.

    Tests are matched by epoch and number within it; `time` is the mean virtual time of the matched tests, s.
    """
    labels, parts = series_labels(frames, grouping), []
    tests = (
        frames.evaluations[frames.evaluations["test_accuracy"].notna()]
        if len(frames.evaluations)
        else frames.evaluations
    )
    for group in grouping.groups:
        runs = _completed(frames, group)
        own = tests[tests["run"].isin(runs)]
        if not len(own):
            continue
        with_tests = own["run"].nunique()
        found = (
            own.groupby(["epoch", "at_end", "number"], sort=True)
            .agg(
                epochs=("epochs_done", "mean"),
                time=("virtual_time_s", "mean"),
                mean=("test_accuracy", "mean"),
                std=("test_accuracy", "std"),
                n=("run", "size"),
            )
            .reset_index(drop=True)
        )
        found = _thinned(found[found["n"] == with_tests], _budget(CURVE_POINTS, grouping))
        spread = found["std"].fillna(0.0)
        parts.append(
            _named(
                group,
                labels[group.series],
                pd.DataFrame(
                    {
                        "epochs": found["epochs"],
                        "time": found["time"],
                        "mean": 100 * found["mean"],
                        "low": 100 * (found["mean"] - spread),
                        "high": 100 * (found["mean"] + spread),
                        "n": found["n"],
                    }
                ),
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def deviations(frames, grouping):
    """Batch deviation of steps with samples: mean over bins of steps and over runs, and its 10 % and 90 % quantiles."""
    labels, parts = series_labels(frames, grouping), []
    for group in grouping.groups:
        own = [
            steps.assign(at=np.arange(1, len(steps) + 1))[["at", "samples", "batch_deviation"]]
            for steps in map(frames.steps_of, _completed(frames, group))
        ]
        own = pd.concat(own) if own else pd.DataFrame(columns=["samples"])
        own = own[own["samples"] > 0]
        if not len(own):
            continue
        last = int(own["at"].max())
        width = -(-last // _budget(STEP_BINS, grouping))
        binned = own.groupby((own["at"] - 1) // width)["batch_deviation"]
        first = binned.mean().index.to_numpy() * width + 1
        parts.append(
            _named(
                group,
                labels[group.series],
                pd.DataFrame(
                    {
                        "step": first + (np.minimum(width, last - first + 1) - 1) / 2,
                        "mean": binned.mean().to_numpy(),
                        "low": binned.quantile(0.1).to_numpy(),
                        "high": binned.quantile(0.9).to_numpy(),
                        "width": width,
                    }
                ),
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def client_shares(frames, grouping):
    """Shares of the run's virtual time, per cent: at work, waiting in a step, in no step; clients ranked by work.

    Ranks are of each run; means are over runs and over bins of ranks. Where steps of a client overlap, its shares can
    add up to more than 100, and `out` is 0.
    """
    times, parts = frames.runs.set_index("run").get("virtual_time_s"), []
    bins = RANKS if len(grouping.groups) <= 8 else RANKS // 2
    for group in grouping.groups[:CLIENT_GROUPS]:
        ranked = []
        for run in _completed(frames, group):
            own = frames.clients[frames.clients["run"] == run]
            total = float(times[run]) * 1e9
            if not len(own) or not total > 0:
                continue
            work = (own["active_ns"] - own["waiting_ns"]).to_numpy() / total * 100
            wait = own["waiting_ns"].to_numpy() / total * 100
            order = np.argsort(-work, kind="stable")
            ranked.append(pd.DataFrame({"rank": np.arange(len(own)), "work": work[order], "wait": wait[order]}))
        if not ranked:
            continue
        everyone = pd.concat(ranked)
        clients = max(map(len, ranked))
        width = -(-clients // bins)
        mean = everyone.groupby(everyone["rank"] // width)[["work", "wait"]].mean()
        first = mean.index.to_numpy() * width
        part = pd.DataFrame(
            {
                "group": group.name,
                "first": first + 1,
                "end": np.minimum(first + width, clients) + 1,
                "work": mean["work"].to_numpy(),
                "wait": mean["wait"].to_numpy(),
            }
        )
        parts.append(part.assign(out=np.maximum(0.0, 100.0 - part["work"] - part["wait"])))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _partition_titles(frames, first_runs):
    """Title of each partition: the labels that its runs share and other partitions' do not."""
    by_run = frames.runs.set_index("run")
    titles = []
    for runs in first_runs:
        parts = []
        for axis in frames.axes:
            own = set(by_run.loc[runs, axis.name])
            if len(own) == 1 and any(set(by_run.loc[other, axis.name]) != own for other in first_runs):
                parts.append(f"{axis.name.rsplit('.', 1)[-1]} = {own.pop()}")
        titles.append(", ".join(parts) or runs[0])
    return titles


def partitions(frames, seeds):
    """(rows, how many different ones there are): classes of each client, sorted by its most frequent one.

    Shown are those of the first label of each seed axis.
    """
    first = frames.runs
    for axis in seeds:
        first = first[first[axis.name] == axis.values[0]]
    found, shown = {}, set(first["run"])
    for run, own in frames.class_counts.groupby("run", sort=False):
        key = hash(own[["client", "class", "samples"]].to_numpy().tobytes())
        found.setdefault(key, (own, []))[1].append(run)
    count = len(found)
    found = {
        key: (own, [r for r in runs if r in shown]) for key, (own, runs) in found.items() if shown.intersection(runs)
    }
    if not found:
        return pd.DataFrame(), 0
    titles = _partition_titles(frames, [runs for _, runs in found.values()]) if len(found) > 1 else [""]
    parts = []
    for title, (own, _) in list(zip(titles, found.values()))[:PARTITIONS]:
        wide = own.pivot(index="client", columns="class", values="samples").fillna(0.0)
        top = wide.to_numpy().argmax(axis=1)
        wide = wide.iloc[np.lexsort((-wide.to_numpy().max(axis=1), top))]
        width = -(-len(wide) // RANKS)
        binned = wide.groupby(np.arange(len(wide)) // width).sum()
        share = binned.div(binned.sum(axis=1), axis=0) * 100
        at, label = np.nonzero(share.to_numpy())
        parts.append(
            pd.DataFrame(
                {
                    "partition": title,
                    "first": at * width + 1,
                    "end": np.minimum((at + 1) * width, len(wide)) + 1,
                    "class": share.columns.to_numpy()[label],
                    "share": share.to_numpy()[at, label],
                    "samples": binned.to_numpy()[at, label],
                }
            )
        )
    return pd.concat(parts, ignore_index=True), count


def outcomes(frames, grouping):
    """(groups, runs): final test accuracy, per cent, against virtual time, s."""
    labels, groups, runs = series_labels(frames, grouping), [], []
    if "test_accuracy" not in frames.runs:
        return pd.DataFrame(), pd.DataFrame()
    by_run = frames.runs.set_index("run")
    for group in grouping.groups:
        own = by_run.loc[_completed(frames, group), ["virtual_time_s", "test_accuracy"]].astype(float).dropna()
        if not len(own):
            continue
        accuracy, spread = 100 * own["test_accuracy"], own.std(ddof=1).fillna(0.0)
        base = {"series": labels[group.series], "panel": group.panel}
        runs += [{**base, "run": run, "time": t, "accuracy": 100 * a} for run, t, a in own.itertuples()]
        groups.append(
            {
                **base,
                "time": own["virtual_time_s"].mean(),
                "accuracy": accuracy.mean(),
                "n": len(own),
                "time_low": own["virtual_time_s"].mean() - spread["virtual_time_s"],
                "time_high": own["virtual_time_s"].mean() + spread["virtual_time_s"],
                "low": accuracy.mean() - 100 * spread["test_accuracy"],
                "high": accuracy.mean() + 100 * spread["test_accuracy"],
            }
        )
    return pd.DataFrame(groups), pd.DataFrame(runs)


def front(groups):
    """Per panel, the groups that no other one beats in both time and accuracy, by time."""
    kept = []
    for _, own in groups.groupby("panel", sort=False):
        best = -math.inf
        for row in own.sort_values(["time", "accuracy"], ascending=[True, False]).to_dict("records"):
            if row["accuracy"] > best:
                best = row["accuracy"]
                kept.append({"panel": row["panel"], "time": row["time"], "accuracy": row["accuracy"]})
    return pd.DataFrame(kept)


def recalls(frames, grouping):
    """Recall per class at the last test at an epoch's end, per cent, mean over runs."""
    parts = []
    for group in grouping.groups:
        own = frames.recall[frames.recall["run"].isin(_completed(frames, group))]
        if len(own):
            mean = own.groupby("class")["recall"].mean() * 100
            parts.append(pd.DataFrame({"group": group.name, "class": mean.index, "recall": mean.to_numpy()}).dropna())
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
