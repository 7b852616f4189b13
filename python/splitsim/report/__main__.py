"""splitsim-report: tables and figures of a sweep or of runs."""

import argparse
import math
import os
import pathlib
import sys

from splitsim.errors import InputError
from splitsim.report import manual

EXAMPLES = """examples:
  splitsim-report runs/my_sweep                         the tables, and runs/my_sweep/report.html
  splitsim-report runs/my_sweep --baseline sampler.kind=ugs --target 0.8,0.85
  splitsim-report runs/a runs/b --html compared.html    plain run directories
  splitsim-report runs/my_sweep --figures figures --latex tables.tex
  splitsim-report runs/my_sweep --tensorboard tb        then: tensorboard --logdir tb

Methods of all numbers: docs/reports.md. Exit codes: 0 done, 1 internal error, 2 bad input."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="splitsim-report",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES,
        allow_abbrev=False,
        description="Tables and figures of a sweep or of runs: means over seeds, differences from a baseline with\n"
        "their intervals, virtual times to accuracy. Text goes to stdout, figures to one HTML page.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="SWEEP | RUN",
        help="a directory of splitsim-sweep; or run directories, or folders of them",
    )
    parser.add_argument(
        "--baseline",
        metavar="AXIS=VALUE",
        help="subtract the runs with this value, paired by seed and the "
        "other axes (default: ugs, where sampler.kind or variants called sampler are an axis)",
    )
    parser.add_argument("--target", metavar="A,B,...", help="virtual time to these test accuracies, 0..1")
    parser.add_argument(
        "--metric",
        metavar="NAME",
        action="append",
        help="a figure of summary.json in place of the usual ones; may be repeated",
    )
    parser.add_argument(
        "--series",
        metavar="AXIS",
        help="the axis that lines of a figure differ in (default: sampler.kind, else "
        "the first); the others make panels",
    )
    parser.add_argument("--confidence", metavar="P", type=float, default=0.95, help="of intervals (default: 0.95)")
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="the page (default: report.html in the sweep, or in the one folder of runs that is named)",
    )
    parser.add_argument("--no-html", action="store_true", help="no page")
    parser.add_argument("--figures", metavar="DIR", help="each figure as SVG, PDF and PNG")
    parser.add_argument("--csv", metavar="DIR", help="each table as CSV, with all digits")
    parser.add_argument("--latex", metavar="FILE", help="the tables for booktabs")
    parser.add_argument("--markdown", metavar="FILE", help="the tables in Markdown")
    parser.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="each run's steps and epochs as TensorBoard's event files, in a new folder of its name",
    )
    manual.add_to(parser)
    return parser


def _targets(text):
    targets = []
    for part in text.split(",") if text else ():
        try:
            target = float(part)
        except ValueError:
            target = math.nan
        if not 0.0 < target <= 1.0:
            raise InputError(f"--target {text}: '{part}' is no accuracy; allowed: numbers above 0 and up to 1")
        targets.append(target)
    return tuple(dict.fromkeys(targets))


def _page_path(args):
    if args.no_html:
        return None
    if args.html:
        return pathlib.Path(args.html)
    folder = pathlib.Path(args.paths[0])
    return folder / "report.html" if len(args.paths) == 1 and not (folder / "run.lock").exists() else None


def _options(args, frames, grouping):
    from splitsim.report import statistics as st
    from splitsim.report.content import Options

    if not 0.0 < args.confidence < 1.0:
        raise InputError(f"--confidence {args.confidence:g}: allowed: between 0 and 1")
    metrics = tuple(st.metric_of(name, frames.runs.columns) for name in args.metric or st.DEFAULT_METRICS)
    baseline = args.baseline
    samplers = [
        axis.name
        for axis in grouping.axes
        if axis.name in ("sampler.kind", "sampler") and "ugs" in axis.values and len(axis.values) > 1
    ]
    if baseline is None and samplers:
        usual = f"{samplers[0]}=ugs"
        try:
            found = st.find_baseline(grouping, usual)
            return Options(metrics, _targets(args.target), found, usual, args.confidence)
        except InputError:
            pass  # several kinds of ugs: nobody asked for a baseline
    found = st.find_baseline(grouping, baseline) if baseline else ()
    return Options(metrics, _targets(args.target), found, baseline or "", args.confidence)


def _written(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".part")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _name(paths):
    """Of what is reported: the folder, or the one around the runs."""
    paths = [pathlib.Path(path).resolve() for path in paths]
    return (
        paths[0].name if len(paths) == 1 else f"{len(paths)} of {pathlib.Path(os.path.commonpath(paths)).name or '/'}"
    )


def _write_events(frames, folder):
    """Event files of every run that has begun. A line about them."""
    from splitsim.tensorboard import to_tensorboard

    begun = {run: path for run, path in frames.directories.items() if (path / "config.toml").exists()}
    try:
        points = sum(to_tensorboard(path, pathlib.Path(folder) / run) for run, path in begun.items())
    except ImportError as error:
        raise InputError(f"--tensorboard {folder}: {error}") from None
    return f"event files: {folder} ({len(begun)} run{'s' if len(begun) != 1 else ''}, {points} points)"


def report(args):
    """Writes what was asked for. The text for stdout."""
    from splitsim import load
    from splitsim.report import content, figures, groups, page, render, tables

    frames = load(*args.paths)
    grouping = groups.group_runs(frames, args.series)
    options = _options(args, frames, grouping)
    sentence = content.sentence(frames, grouping)
    found = content.tables(frames, grouping, options)
    lines = [sentence, ""] + [tables.text(table) for table in found]
    runs, path = content.runs_table(frames, options), _page_path(args)
    drawn = list(figures.figures(frames, grouping)) if path or args.figures else []
    if args.csv:
        folder = pathlib.Path(args.csv)
        folder.mkdir(parents=True, exist_ok=True)
        for table in [*found, runs]:
            tables.write_csv(table, folder / f"{table.name}.csv")
    if args.latex:
        _written(args.latex, "% \\usepackage{booktabs}\n" + "\n".join(tables.latex(table) for table in found))
    if args.markdown:
        _written(args.markdown, "\n".join(tables.markdown(table) for table in found))
    if args.figures:
        folder = pathlib.Path(args.figures)
        folder.mkdir(parents=True, exist_ok=True)
        for figure in drawn:
            for ending in render.FORMATS:
                render.to_file(figure, folder / f"{figure.name}.{ending}")
    if args.tensorboard:
        lines.append(_write_events(frames, args.tensorboard))
    if path:
        _written(path, page.page(f"splitsim: {_name(args.paths)}", sentence, found, drawn, runs, frames.configs))
        lines.append(f"page: {path}")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments=None):
    args = _parser().parse_args(arguments)
    try:
        text = report(args)
    except InputError as error:
        print(f"splitsim-report: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in ("pandas", "numpy", "scipy"):
            raise
        print(
            f"splitsim-report: the Python package {error.name} is missing; in a checkout, scripts/python.sh "
            "installs it",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        print(f"splitsim-report: '{error.filename}': {error.strerror}", file=sys.stderr)
        return 2
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
