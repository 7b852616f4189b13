"""Figures of clients and classes, as figures.py makes the others."""

from splitsim.report import figure_data as data
from splitsim.report.style import Figure, axis, columns_of, finished


def clients_figure(frames, grouping):
    found = data.client_shares(frames, grouping)
    if not len(found):
        return
    groups = list(dict.fromkeys(found["group"]))
    states = ("at work", "waiting in a step", "in no step")
    rows = []
    for row in data.rows_of(found):
        top = 0.0
        for state, key in zip(states, ("work", "wait", "out")):
            rows.append(
                {
                    "group": row["group"],
                    "first": row["first"],
                    "end": row["end"],
                    "state": state,
                    "share": row[key],
                    "from": round(top, 3),
                    "to": round(top + row[key], 3),
                }
            )
            top += row[key]
    columns = columns_of(len(groups), 4)
    widest = int((found["end"] - found["first"]).max())
    spec = {
        "facet": {"field": "group", "type": "nominal", "sort": groups, "header": {"title": None}},
        "columns": columns,
        "spec": {
            "width": {1: 620, 2: 290, 3: 185}.get(columns, 140),
            "height": 200 if len(groups) <= 4 else 110 if len(groups) <= 12 else 80,
            "mark": {"type": "rect", "strokeWidth": 0},
            "encoding": {
                "x": axis("client, by time at work", field="first", scale={"zero": False, "nice": False}),
                "x2": {"field": "end"},
                "y": axis("virtual time [%]", field="from", scale={"domainMin": 0}),
                "y2": {"field": "to"},
                "color": {
                    "field": "state",
                    "type": "nominal",
                    "legend": {"title": None, "symbolType": "square"},
                    "scale": {"domain": list(states), "range": ["#0072B2", "#E69F00", "#e6e6e6"]},
                },
                "tooltip": [
                    {"field": "state", "type": "nominal"},
                    {"field": "first", "type": "quantitative", "title": "client rank"},
                    {"field": "share", "type": "quantitative", "title": "%"},
                ],
            },
        },
    }
    left_out = len(grouping.groups) - len(groups)
    yield Figure(
        "clients",
        "What clients do",
        "Share of the run's virtual time that each client is at work (itself, or the "
        "server or link on its behalf), waits within a step it takes part in, and is in no step. Clients are ranked "
        "within each run by time at work; means over completed runs"
        + (f" and over bins of {widest} ranks" if widest > 1 else "")
        + "."
        + (f" {left_out} groups are not shown." if left_out > 0 else ""),
        finished(spec, rows),
    )


def partition_figure(frames, grouping):
    found, count = data.partitions(frames, grouping.seeds)
    if not len(found):
        return
    titles = list(dict.fromkeys(found["partition"]))
    classes = list(range(int(found["class"].max()) + 1))
    widest = int((found["end"] - found["first"]).max())
    view = {
        "width": 620 if len(titles) == 1 else 290,
        "height": max(120, min(16 * len(classes), 420)),
        "view": {"fill": "#ffffff"},
        "mark": {"type": "rect", "strokeWidth": 0},
        "encoding": {
            "x": axis("client, by its most frequent class", field="first", scale={"nice": False, "zero": False}),
            "x2": {"field": "end"},
            "y": {
                "field": "class",
                "type": "ordinal",
                "title": "class",
                "scale": {"domain": classes},
                "axis": {"labelOverlap": True},
            },
            "color": {
                "field": "share",
                "type": "quantitative",
                "scale": {"scheme": "blues", "domain": [0, 100]},
                "legend": {"title": "of the client's samples [%]", "gradientLength": 200, "orient": "bottom"},
            },
            "tooltip": [
                {"field": "class", "type": "ordinal"},
                {"field": "first", "type": "quantitative", "title": "client (sorted)"},
                {"field": "samples", "type": "quantitative"},
                {"field": "share", "type": "quantitative", "title": "%"},
            ],
        },
    }
    spec = (
        view
        if len(titles) == 1
        else {
            "facet": {"field": "partition", "type": "nominal", "sort": titles, "header": {"title": None}},
            "columns": 2,
            "spec": view,
        }
    )
    seeds = ", ".join(f"{axis.name} = {axis.values[0]}" for axis in grouping.seeds)
    shown = (
        ""
        if count <= len(titles)
        else f" {count} different partitions; shown: {len(titles)}" + (f" of {seeds}." if seeds else ".")
    )
    yield Figure(
        "partition",
        "Classes of clients",
        "Share of each class among a client's samples; clients are sorted by their "
        "most frequent class" + (f" and binned by {widest}" if widest > 1 else "") + "." + shown,
        finished(spec, data.rows_of(found)),
    )


def recall_figure(frames, grouping):
    found = data.recalls(frames, grouping)
    if not len(found):
        return
    groups = list(dict.fromkeys(found["group"]))
    classes = list(range(int(found["class"].max()) + 1))
    x = {
        "field": "class",
        "type": "ordinal",
        "title": "class",
        "scale": {"domain": classes},
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
    y = {"field": "group", "type": "nominal", "title": None, "sort": groups}
    texts = len(classes) <= 20
    layers = [
        {
            "mark": {"type": "rect", "strokeWidth": 0},
            "encoding": {
                "color": {
                    "field": "recall",
                    "type": "quantitative",
                    "scale": {"scheme": "viridis", "domain": [0, 100]},
                    "legend": {"title": "recall [%]", "gradientLength": 200},
                },
                "tooltip": [
                    {"field": "group", "type": "nominal"},
                    {"field": "class", "type": "ordinal"},
                    {"field": "recall", "type": "quantitative", "title": "recall [%]"},
                ],
            },
        }
    ]
    if texts:
        layers.append(
            {
                "mark": {"type": "text", "fontSize": 10},
                "encoding": {
                    "text": {"field": "recall", "type": "quantitative", "format": ".0f"},
                    "color": {"condition": {"test": "datum.recall > 62", "value": "black"}, "value": "white"},
                },
            }
        )
    spec = {
        "width": max(200, min(30 * len(classes), 620)),
        "height": {"step": 20},
        "encoding": {"x": x, "y": y},
        "layer": layers,
    }
    yield Figure(
        "recall",
        "Recall per class",
        "Recall of each class at the last test at an epoch's end: mean over completed runs.",
        finished(spec, data.rows_of(found)),
    )
