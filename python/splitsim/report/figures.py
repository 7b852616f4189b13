"""The figures of a report as Vega-Lite specifications: one for the page, SVG, PDF and PNG alike."""

from splitsim.report import figure_data as data
from splitsim.report.client_figures import clients_figure, partition_figure, recall_figure
from splitsim.report.style import ONLY_PAGE, Figure, Series, axis, domain, finished, sized


def _series(frames, grouping):
    labels = data.series_labels(frames, grouping)
    plain = [series.rsplit("= ", 1)[-1] for series in labels]
    title = ", ".join(
        name.rsplit(".", 1)[-1] if len(grouping.series_axis) > 1 else name for name in grouping.series_axis[:2]
    )
    return Series(list(labels.values()), title, plain)


_PICK = {"name": "pick", "select": {"type": "point", "fields": ["series"]}, "bind": "legend"}


def _faded(shown, hidden=0.08):
    """Series that were not clicked in the legend fade."""
    return {"condition": {"param": "pick", "value": shown}, "value": hidden}


def _bands(series, x, y, tooltips, points):
    """Layers: band, line and, where there are few, points (else unseen, for their tooltips)."""
    layers = []
    if not series.many:
        layers.append(
            {
                "mark": {"type": "area", "clip": True},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": series.colour(),
                    "opacity": _faded(0.16, 0.02),
                },
            }
        )
    mean = {**y, "field": "mean"}
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 1.6 if series.many else 2, "clip": True},
            "params": [_PICK],
            "encoding": {
                "x": x,
                "y": mean,
                "color": series.colour(),
                "strokeDash": series.dash(),
                "opacity": _faded(1.0),
            },
        }
    )
    seen = points and not series.many
    layers.append(
        {
            "name": "points" if seen else ONLY_PAGE,
            "mark": {"type": "point", "filled": True, "size": 36},
            "encoding": {
                "x": x,
                "y": mean,
                "color": series.colour(),
                "opacity": _faded(1.0, 0.05) if seen else {"value": 0.0},
                "tooltip": tooltips,
            },
        }
    )
    return {"layer": layers}


def _whole_ticks(values):
    """At most eight whole numbers over values that are whole; none where others are among them."""
    if (values % 1 != 0).any():
        return ()
    low, high = int(values.min()), int(values.max())
    return range(low, high + 1, -(-(high - low + 1) // 8))


def _curve_tooltips():
    return [
        {"field": "series", "type": "nominal"},
        {"field": "epochs", "type": "quantitative", "title": "epochs done"},
        {"field": "time", "type": "quantitative", "title": "virtual time [s]"},
        {"field": "mean", "type": "quantitative", "title": "test accuracy [%]"},
        {"field": "low", "type": "quantitative", "title": "mean - std"},
        {"field": "high", "type": "quantitative", "title": "mean + std"},
        {"field": "n", "type": "quantitative", "title": "runs"},
    ]


def accuracy_figures(frames, grouping):
    found = data.curves(frames, grouping)
    if not len(found):
        return
    series, rows = _series(frames, grouping), data.rows_of(found)
    points = int(found.groupby(["series", "panel"]).size().max()) <= 30
    band = (
        ""
        if series.many
        else ("; bands: +- one sample standard deviation over seeds" if (found["n"] > 1).any() else "")
    )
    how = (
        f"Mean test accuracy over the completed runs of a group{band}. Tests are matched by epoch and number in it; "
        f"a point is drawn where every run has the test; more than {data.CURVE_POINTS} points of a group are thinned."
        + (" A click on the legend picks a series out." if len(series.labels) > 1 else "")
    )
    panels = [p for p in grouping.panels if p in set(found["panel"])]
    y = axis("test accuracy [%]", scale={"domain": domain(found["low"], found["high"], least=0, most=100)})
    for name, field, title, x in (
        ("accuracy_epoch", "epochs", "Accuracy over epochs", "epochs"),
        ("accuracy_time", "time", "Accuracy over virtual time", "virtual time [s]"),
    ):
        ticks = _whole_ticks(found["epochs"]) if field == "epochs" else ()
        spec = _bands(series, axis(x, ticks, field=field), y, _curve_tooltips(), points)
        at = " at the mean virtual time of the matched tests" if field == "time" else ""
        yield Figure(
            name,
            title,
            how.replace("of a group", f"of a group{at}", 1) if at else how,
            finished(sized(spec, panels), rows),
        )


def deviation_figure(frames, grouping):
    found = data.deviations(frames, grouping)
    if not len(found):
        return
    series = _series(frames, grouping)
    widest = int(found["width"].max())
    steps = "each step" if widest == 1 else f"bins of at most {widest} consecutive steps"
    tooltips = [
        {"field": "series", "type": "nominal"},
        {"field": "step", "type": "quantitative"},
        {"field": "mean", "type": "quantitative", "title": "batch deviation"},
    ]
    spec = _bands(
        series,
        axis("step of the run", field="step"),
        axis("batch deviation [L1, 0..2]", scale={"domain": domain([0.0], found["high"], least=0)}),
        tooltips,
        False,
    )
    band = "" if series.many else "; bands: 10 % to 90 % of the steps and seeds in it"
    yield Figure(
        "deviation",
        "Batch deviation per step",
        f"L1 distance of a step's class mix from that of all samples: mean over {steps} and over the completed runs"
        f"{band}. Steps without samples are left out.",
        finished(sized(spec, [p for p in grouping.panels if p in set(found["panel"])]), data.rows_of(found)),
    )


def pareto_figure(frames, grouping):
    groups, runs = data.outcomes(frames, grouping)
    if len(runs) < 2:
        return
    series = _series(frames, grouping)
    best = data.front(groups)
    times = domain(groups["time_low"], groups["time_high"], runs["time"])
    accuracies = domain(groups["low"], groups["high"], runs["accuracy"], least=0, most=100)
    x = axis("virtual time of the run [s]", field="time", scale={"domain": times})
    y = axis("test accuracy [%]", field="accuracy", scale={"domain": accuracies})
    colour, shape = series.symbols()
    rows = (
        [{"kind": "front", **row} for row in data.rows_of(best)]
        + [{"kind": "run", **row} for row in data.rows_of(runs)]
        + [{"kind": "group", **row} for row in data.rows_of(groups)]
    )

    def only(kind):
        return [{"filter": f"datum.kind == '{kind}'"}]

    layers = [
        {
            "transform": only("front"),
            "mark": {"type": "line", "interpolate": "step-after", "color": "#999", "strokeWidth": 1.2},
            "encoding": {"x": x, "y": y},
        },
        {
            "transform": only("run"),
            "mark": {"type": "point", "filled": True, "size": 14},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "shape": shape,
                "opacity": {"value": 0.45},
                "tooltip": [
                    {"field": "run", "type": "nominal"},
                    {"field": "time", "type": "quantitative"},
                    {"field": "accuracy", "type": "quantitative"},
                ],
            },
        },
    ]
    if not series.many:
        layers += [
            {
                "transform": only("group"),
                "mark": {"type": "rule", "strokeWidth": 1.2, "clip": True},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
            },
            {
                "transform": only("group"),
                "mark": {"type": "rule", "strokeWidth": 1.2, "clip": True},
                "encoding": {"x": {**x, "field": "time_low"}, "x2": {"field": "time_high"}, "y": y, "color": colour},
            },
        ]
    layers.append(
        {
            "transform": only("group"),
            "mark": {"type": "point", "filled": True, "size": 110},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "shape": shape,
                "tooltip": [
                    {"field": "series", "type": "nominal"},
                    {"field": "time", "type": "quantitative", "title": "virtual time [s]"},
                    {"field": "accuracy", "type": "quantitative", "title": "test accuracy [%]"},
                    {"field": "n", "type": "quantitative", "title": "runs"},
                ],
            },
        }
    )
    yield Figure(
        "pareto",
        "Final accuracy against time",
        "Test accuracy of the last test at an epoch's end against the virtual "
        "time of the whole run. Large: means over completed runs"
        + ("" if series.many else ", bars: +- one sample standard deviation")
        + "; small: runs; grey: the front of the means that no other group beats in both.",
        finished(sized({"layer": layers}, [p for p in grouping.panels if p in set(groups["panel"])]), rows),
    )


def figures(frames, grouping):
    """Those for which there are data, in the order of the page."""
    found = [
        *accuracy_figures(frames, grouping),
        *pareto_figure(frames, grouping),
        *deviation_figure(frames, grouping),
        *clients_figure(frames, grouping),
        *partition_figure(frames, grouping),
        *recall_figure(frames, grouping),
    ]
    order = ["accuracy_time", "accuracy_epoch", "pareto", "deviation", "clients", "partition", "recall"]
    return sorted(found, key=lambda figure: order.index(figure.name))
