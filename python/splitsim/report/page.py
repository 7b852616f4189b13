"""One HTML page with everything in it: it loads nothing, and its policy forbids it to."""

import html
import json
import math
import pathlib
import string

from splitsim.report import render

_HERE = pathlib.Path(__file__).parent

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<h1>$title</h1>
<p>$sentence</p>
<nav>$links</nav>
$sections
<footer><p>Written by splitsim-report. Figures: Vega-Lite $vega_lite, contained in this page.</p></footer>
<script type="application/json" id="figures">$figures</script>
<script type="application/json" id="configs">$configs</script>
<script type="module">
$library
</script>
<script type="module">
$script
</script>
</body>
</html>
""")


def _json(value):
    """JSON that may stand in a <script> element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _key(cell):
    if cell.value is None or (isinstance(cell.value, float) and math.isnan(cell.value)):
        return ""
    return html.escape(str(cell.value), quote=True)


def _table(table):
    def label(at, text=""):
        return "" if at >= table.labels else ' class="label long"' if len(text) > 36 else ' class="label"'

    head = "".join(
        f'<th scope="col" aria-sort="none"{label(at)}><button type="button">{html.escape(name)}</button></th>'
        for at, name in enumerate(table.columns)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(
            f'<td{label(at, cell.text)} data-value="{_key(cell)}">{html.escape(cell.text).replace("+-", "±")}</td>'
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{html.escape(table.note).replace("+-", "±")}</p>' if table.note else ""
    return (
        f'<section id="table-{table.name}"><h2>{html.escape(table.title)}</h2><div class="scroll">'
        f'<table class="sorts"><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>{note}</section>'
    )


def _figure(figure):
    return (
        f'<section id="figure-{figure.name}"><h2>{html.escape(figure.title)}</h2><figure><div class="view"></div>'
        f"<figcaption>{html.escape(figure.caption).replace('+-', '±')}</figcaption></figure></section>"
    )


def _configs(texts):
    """Each different line once: configurations of a sweep are nearly the same."""
    lines = {}
    runs = {run: [lines.setdefault(line, len(lines)) for line in text.splitlines()] for run, text in texts.items()}
    return {"lines": list(lines), "runs": runs}


def page(title, sentence, tables, figures, runs, configs):
    """tables before the figures; runs: the table of runs, after them; configs: run -> text. The page's text."""
    links = "".join(f'<a href="#table-{t.name}">{html.escape(t.title)}</a>' for t in tables)
    links += "".join(f'<a href="#figure-{f.name}">{html.escape(f.title)}</a>' for f in figures)
    links += '<a href="#table-runs">Runs</a><a href="#configs-of-runs">Configurations</a>'
    details = "\n".join(
        f'<details class="config" data-run="{html.escape(run, quote=True)}"><summary>{html.escape(run)}</summary>'
        "<pre></pre></details>"
        for run in configs
    )
    sections = [_table(t) for t in tables] + [_figure(f) for f in figures]
    sections += [_table(runs), f'<section id="configs-of-runs"><h2>Configurations</h2>\n{details}</section>']
    return _PAGE.substitute(
        title=html.escape(title),
        sentence=html.escape(sentence),
        links=links,
        sections="\n".join(sections),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        library=render.scripts() if figures else "",
        vega_lite=render.VEGA_LITE,
        figures=_json([{"name": f.name, "spec": f.spec} for f in figures]),
        configs=_json(_configs(configs)),
    )
