"""A table as a value, and as text within 80 columns, CSV, Markdown and LaTeX (booktabs)."""

import csv
import dataclasses
import math
import re
import textwrap

WIDTH = 80
_LABEL_WIDTH = 30


@dataclasses.dataclass(frozen=True)
class Cell:
    """text: as shown; value: what a table sorts by, None where there is none."""

    text: str
    value: object = None


@dataclasses.dataclass(frozen=True)
class Table:
    """The first `labels` columns are words, the others numbers. plain: rows for CSV with full digits, header first."""

    name: str
    title: str
    note: str
    columns: tuple
    rows: tuple  # of tuples of Cell
    plain: tuple = ()
    labels: int = 1
    sections: bool = False  # text and LaTeX show the first column as headings over the rows that share it


def number(value, digits):
    """digits: decimals, or, if negative, significant digits. '-' for what is not there."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if digits >= 0:
        written = f"{value:.{digits}f}"
        return written.lstrip("-") if float(written) == 0.0 else written
    if value == 0.0:
        return "0"
    rounded = float(f"{value:.{-digits - 1}e}")
    decimals = -digits - 1 - math.floor(math.log10(abs(rounded)))
    if decimals < -2 or decimals > 6:
        return f"{value:.{-digits - 1}e}"
    return f"{rounded:.{max(decimals, 0)}f}"


def decimals_of(values, digits):
    """Decimals with which the largest of these values has -digits significant ones; digits >= 0 are decimals already.

    Negative where only an exponent will do. A column has one number of decimals, so that its figures compare.
    """
    if digits >= 0:
        return digits
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    written = number(largest, digits)
    return digits if "e" in written else len(written.partition(".")[2])


def estimate_cell(e, digits, show_n=False):
    """mean +- std (n)."""
    if e.n == 0:
        return Cell("-", None)
    spread = "" if e.n < 2 else f" +- {number(e.std, digits)}"
    return Cell(number(e.mean, digits) + spread + (f" ({e.n})" if show_n else ""), e.mean)


def _wrapped(text, width):
    return textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=False) or [""]


def _block(columns, rows, labels, width=WIDTH):
    """Lines of one block whose columns fit beside each other. rows: lists of texts."""
    sizes = []
    for at, name in enumerate(columns):
        size = max([len(line) for line in name.split("\n")] + [len(row[at]) for row in rows])
        sizes.append(min(size, _LABEL_WIDTH) if at < labels else size)
    lines = []

    def put(cells, bottom=False):
        parts = [_wrapped(cell, sizes[at]) if at < labels else cell.split("\n") for at, cell in enumerate(cells)]
        height = max(len(part) for part in parts)
        parts = [[""] * (height - len(part)) + part if bottom else part + [""] * (height - len(part)) for part in parts]
        for i in range(height):
            texts = [
                part[i].ljust(size) if at < labels else part[i].rjust(size)
                for at, (part, size) in enumerate(zip(parts, sizes))
            ]
            lines.append("  ".join(texts).rstrip())

    put(columns, bottom=True)
    lines.append("-" * (sum(sizes) + 2 * (len(sizes) - 1)))
    for row in rows:
        put(row)
    return lines


def _heading(name):
    """Two lines for a heading with a unit."""
    return name.replace(" [", "\n[") if len(name) > 14 else name


def _sectioned(table):
    """(heading, rows without it); one section without a heading for a plain table."""
    if not table.sections:
        return [("", list(table.rows))]
    found = {}
    for row in table.rows:
        found.setdefault(row[0].text, []).append(row[1:])
    return list(found.items())


def _blocks(columns, rows, labels):
    """Which number columns stand beside the labels, 80 columns at most in each block."""
    sizes = [max([max(map(len, name.split("\n")))] + [len(row[at]) for row in rows]) for at, name in enumerate(columns)]
    sizes[:labels] = [min(size, _LABEL_WIDTH) for size in sizes[:labels]]
    base = sum(sizes[:labels]) + 2 * (labels - 1)
    blocks, width = [[]], base
    for at in range(labels, len(columns)):
        if blocks[-1] and width + 2 + sizes[at] > WIDTH:
            blocks.append([])
            width = base
        blocks[-1].append(at)
        width += 2 + sizes[at]
    return [list(range(labels)) + block for block in blocks]


def text(table):
    """Title, blocks of as many columns as fit into 80, note."""
    skip = 1 if table.sections else 0
    columns, labels = [_heading(name) for name in table.columns[skip:]], table.labels - skip
    lines = [table.title, ""]
    for heading, rows in _sectioned(table):
        rows = [[cell.text for cell in row] for row in rows]
        for picked in _blocks(columns, rows, labels):
            names = [columns[at] for at in picked]
            if heading:
                names[0] = heading
            lines += _block(names, [[row[at] for at in picked] for row in rows], labels)
            lines.append("")
    if table.note:
        lines += textwrap.wrap(table.note, WIDTH) + [""]
    return "\n".join(lines)


def write_csv(table, path):
    """Full digits; what is absent is empty."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in table.plain:
            writer.writerow(["" if v is None or (isinstance(v, float) and math.isnan(v)) else v for v in row])


def markdown(table):
    """A pipe table."""

    def escaped(line):
        for character in "\\`*_{}[]<>|#":
            line = line.replace(character, "\\" + character)
        return line.replace("&", "&amp;").replace("+-", "±")

    lines = [
        f"### {escaped(table.title)}",
        "",
        "| " + " | ".join(escaped(name) for name in table.columns) + " |",
        "|" + "|".join(" --- " if at < table.labels else " ---: " for at in range(len(table.columns))) + "|",
    ]
    lines += ["| " + " | ".join(escaped(cell.text) for cell in row) + " |" for row in table.rows]
    return "\n".join(lines + ["", escaped(table.note), ""])


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def latex_escaped(line):
    return "".join(_LATEX.get(character, character) for character in line)


def latex(table):
    """A table environment; \\usepackage{booktabs} in the preamble."""

    def cell(line):
        if line == "-":
            return "--"
        line = latex_escaped(line).replace("+-", r"$\pm$")
        return re.sub(r"(^|[\[ ])-(?=\d)", r"\1$-$", line)

    skip = 1 if table.sections else 0
    labels, columns = table.labels - skip, table.columns[skip:]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_escaped(table.title)}. {cell(table.note)}}}",
        rf"  \begin{{tabular}}{{{'l' * labels}{'r' * (len(columns) - labels)}}}",
        r"    \toprule",
        "    " + " & ".join(latex_escaped(name) for name in columns) + r" \\",
    ]
    for heading, rows in _sectioned(table):
        lines.append(r"    \midrule")
        if heading:
            lines.append(rf"    \multicolumn{{{len(columns)}}}{{l}}{{\emph{{{latex_escaped(heading)}}}}} \\")
        for row in rows:
            cells = [latex_escaped(c.text) if at < labels else cell(c.text) for at, c in enumerate(row)]
            lines.append("    " + " & ".join(cells) + r" \\")
    return "\n".join(lines + [r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])
