"""How figures look: colours that colour-blind readers tell apart, and never colour alone."""

import dataclasses

# Okabe and Ito (2008), without the yellow, which is hard to see on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [12, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
MANY = len(SHAPES)  # with more series than this in a figure, bands and points are left out
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

ONLY_PAGE = "only_page"  # name of layers that carry tooltips and are not seen

CONFIG = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "background": "white",
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "#e4e4e4",
        "tickColor": "#888",
        "domainColor": "#888",
        "titlePadding": 8,
        "labelLimit": 260,
    },
    "legend": {
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 360,
        "symbolSize": 90,
        "symbolStrokeWidth": 2,
        "orient": "bottom",
        "symbolLimit": 0,
        "columnPadding": 14,
    },
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None, "labelLimit": 330},
    "title": {"fontSize": 13, "anchor": "start", "fontWeight": "bold"},
    "view": {"stroke": "#bbb"},
    "facet": {"spacing": 24},
}


def _is_numeric(labels):
    try:
        [float(label) for label in labels]
    except ValueError:
        return False
    return True


class Series:
    """The encodings of series by colour, dash and shape. labels: in order; title: of the legend; numbers: their
    underlying labels where these are numbers, so that many of them get an ordered scale."""

    def __init__(self, labels, title, plain=()):
        self.labels, self.title = list(labels), title
        self.many = len(self.labels) > MANY
        self.ordered = self.many and _is_numeric(plain)

    def _scale(self, values):
        return {"domain": self.labels, "range": [values[at % len(values)] for at in range(len(self.labels))]}

    def _legend(self):
        longest = max(map(len, self.labels))
        return {
            "title": self.title,
            "columns": max(1, min(len(self.labels), 100 // (longest + 8))),
            "symbolType": "stroke",
            "symbolSize": 700,
            "symbolStrokeWidth": 2,
            "symbolOpacity": 1,
            "symbolFillColor": "transparent",
        }

    def _encoding(self, scale, legend, kind="nominal"):
        return {
            "field": "series",
            "type": kind,
            "scale": scale,
            "sort": None,
            "legend": legend if len(self.labels) > 1 else None,
        }

    def colour(self, legend=None):
        """One legend shows colours and dashes; layers must agree in it."""
        scale = {"domain": self.labels, "scheme": "viridis"} if self.ordered else self._scale(COLOURS)
        return self._encoding(scale, legend or self._legend(), "ordinal" if self.ordered else "nominal")

    def dash(self):
        return self._encoding(self._scale(DASHES), self._legend())

    def symbols(self):
        """Colour and shape that share one legend, for figures without lines."""
        legend = {
            **{name: value for name, value in self._legend().items() if not name.startswith("symbol")},
            "symbolOpacity": 1,
        }
        return self.colour(legend), self._encoding(self._scale(SHAPES), legend)


def columns_of(panels, most=3):
    return panels if panels <= most else most if panels % most == 0 or panels > 4 else 2


def domain(*columns, least=None, most=None):
    """Of an axis that shows all of these values, with a margin, but nothing beyond least and most."""
    values = [v for column in columns for v in column if v == v]
    low, high = min(values), max(values)
    margin = 0.03 * (high - low) or 0.05 * abs(high) or 1.0
    return [
        low - margin if least is None else max(low - margin, least),
        high + margin if most is None else min(high + margin, most),
    ]


def sized(spec, panels, width=620, height=330):
    """One view, or panels beside each other whose field is `panel`."""
    if len(panels) <= 1:
        return {**spec, "width": width, "height": height}
    columns = columns_of(len(panels))
    return {
        "facet": {"field": "panel", "type": "nominal", "sort": list(panels), "header": {"title": None}},
        "columns": columns,
        "spec": {**spec, "width": max(240, width // columns - 10), "height": 230 if columns > 1 else height},
    }


@dataclasses.dataclass(frozen=True)
class Figure:
    """name: of its files; caption: what is drawn and how."""

    name: str
    title: str
    caption: str
    spec: dict


def finished(spec, rows=None):
    return {"$schema": SCHEMA, "config": CONFIG, **({"data": {"values": rows}} if rows is not None else {}), **spec}


def axis(title, ticks=(), **more):
    """ticks: where they are; none: about seven."""
    placed = {"values": list(ticks), "format": "d"} if ticks else {"tickCount": 7}
    labels = {"labelSeparation": 6, "labelOverlap": "greedy"}
    return {"title": title, "type": "quantitative", "axis": {**placed, **labels}, **more}
