"""splitsim-report: its text, files and errors. Without vl-convert-python the tests of figures skip."""

import contextlib
import csv
import html.parser
import importlib.util
import io
import json
import pathlib
import re
import tempfile
import unittest

import fake_runs
from splitsim.report.__main__ import main

HAS_FIGURES = importlib.util.find_spec("vl_convert") is not None
ODD = 'a_b&<x>{y}|%#$~^\\"'


class Calls(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def report(self, *arguments, code=0):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            got = main([str(argument) for argument in arguments])
        self.assertEqual(got, code, err.getvalue())
        if code:
            self.assertEqual(err.getvalue().count("\n"), 1)
        return out.getvalue() + err.getvalue()

    def odd_sweep(self):
        return fake_runs.write_sweep(
            self.folder / "odd",
            {ODD: [ODD, "z"], "seed": ["1", "2"]},
            [
                (
                    (label, seed),
                    "completed" if seed == "1" else "failed",
                    ODD,
                    {"accuracies": (0.5,)} if seed == "1" else None,
                )
                for label in (ODD, "z")
                for seed in ("1", "2")
            ],
        )


class Report(Calls):
    def test_baseline_by_default(self):
        """ugs, whether the axis is sampler.kind or variants called sampler; none of an axis with one value or another name."""
        runs = [((label, "1"), "completed", "", {"accuracies": (0.5,)}) for label in ("ugs", "fls")]
        for axis, taken in (("sampler.kind", True), ("sampler", True), ("method", False)):
            sweep = fake_runs.write_sweep(self.folder / axis, {axis: ["ugs", "fls"], "seed": ["1"]}, runs)
            self.assertEqual(f"Differences from {axis}=ugs" in self.report(sweep, "--no-html"), taken)
        alone = fake_runs.write_sweep(self.folder / "alone", {"sampler": ["ugs"], "seed": ["1"]}, runs[:1])
        self.assertNotIn("Differences", self.report(alone, "--no-html"))

    @unittest.skipUnless(HAS_FIGURES, "no vl-convert-python: scripts/python.sh installs it")
    def test_epochs_are_whole_where_tests_are_at_their_ends(self):
        self.report(fake_runs.two_samplers(self.folder / "s"), "--no-html", "--figures", self.folder / "f")
        svg = (self.folder / "f" / "accuracy_epoch.svg").read_text(encoding="utf-8")
        self.assertIn(">1</text>", svg)
        self.assertNotRegex(svg, r">\d\.\d</text>")

    def test_text_within_80_columns(self):
        text = self.report(fake_runs.two_samplers(self.folder / "s"), "--no-html", "--target", "0.8,0.85")
        self.assertTrue(all(len(line) <= 80 for line in text.splitlines()), text)
        self.assertIn("6 runs: 6 completed. Axes: sampler.kind (2); seeds: seed (3).", text)
        self.assertRegex(text, r"ugs +3 +83\.33 \+- 3\.06 ")
        self.assertRegex(text, r"fls +3 +72\.00 \+- 2\.65 ")
        # ugs ends at 19, 20, 21 s with 80, 84, 86 %.
        self.assertRegex(text, r"ugs +20\.00 \+- 1\.00 \(3 of 3\) +21\.00 \(1 of 3\)")
        self.assertRegex(text, r"fls +not reached \(0 of 3\) +not reached \(0 of 3\)")
        self.assertRegex(text, r"fls +-11\.33 +\[-19\.32, -3\.35\] +3")
        self.assertFalse((self.folder / "s" / "report.html").exists())

    def test_csv_has_all_digits(self):
        self.report(
            fake_runs.two_samplers(self.folder / "s"), "--no-html", "--csv", self.folder / "csv", "--target", "0.8"
        )
        with open(self.folder / "csv" / "groups.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["sampler.kind"] for row in rows], ["ugs", "fls"])
        self.assertAlmostEqual(float(rows[0]["test accuracy [%] mean"]), 250.0 / 3, places=12)
        with open(self.folder / "csv" / "times.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(
            [(row["reached"], row["n"], row["median"]) for row in rows], [("3", "3", "20.0"), ("0", "3", "inf")]
        )
        with open(self.folder / "csv" / "differences.csv") as file:
            row = next(csv.DictReader(file))
        self.assertAlmostEqual(float(row["low 95 %"]), -34.0 / 3 - 4.302652729 * (31.0 / 9) ** 0.5, places=6)

    def test_missing_runs_are_listed(self):
        runs = [
            (("1",), "completed", "", {}),
            (("2",), "failed", "partition.alpha = 0: must be above 0", None),
            (("3",), "diverged", "", {"losses": ("nan",), "accuracies": (None,)}),
            (("4",), "waiting", "", None),
        ]
        text = self.report(fake_runs.write_sweep(self.folder / "s", {"seed": list("1234")}, runs), "--no-html")
        self.assertIn("4 runs: 1 completed, 1 diverged, 1 failed, 1 waiting.", text)
        self.assertRegex(text, r"all runs +1 of 4 ")
        self.assertRegex(text, r"r1 +failed +partition\.alpha = 0: must be")
        self.assertRegex(text, r"r2 +diverged +-")

    def test_one_run_and_runs_without_tests(self):
        fake_runs.write_run(self.folder / "a", {"seed": 1}, accuracies=(None,))
        text = self.report(self.folder / "a", "--target", "0.5")
        self.assertRegex(text, r"all runs +1 +- +0\.3000 ")
        self.assertRegex(text, r"all runs +not reached \(0 of 1\)")
        self.assertNotIn("page:", text)  # a run directory holds a run's files only
        self.assertNotIn("Differences", text)

    def test_latex_is_escaped(self):
        self.report(self.odd_sweep(), "--no-html", "--latex", self.folder / "t.tex", "--baseline", f"{ODD}=z")
        text = (self.folder / "t.tex").read_text()
        self.assertIn(
            r"a\_b\&\textless{}x\textgreater{}\{y\}\textbar{}\%\#\$\textasciitilde{}\textasciicircum{}"
            r"\textbackslash{}\textquotedbl{}",
            text,
        )
        self.assertEqual((text.count(r"\toprule"), text.count(r"\bottomrule")), (3, 3))
        self.assertEqual(text.count("{"), text.count("}"))  # \{ and \} are in pairs too
        rows = [line for line in text.splitlines() if line.startswith("    ") and line.endswith(r"\\")]
        widths = [len(re.findall(r"(?<!\\)&", line)) for line in rows if "multicolumn" not in line]
        self.assertEqual(set(widths), {6, 3, 2})

    def test_markdown_is_escaped(self):
        self.report(self.odd_sweep(), "--no-html", "--markdown", self.folder / "t.md")
        text = (self.folder / "t.md").read_text()
        self.assertIn(r"a\_b&amp;\<x\>\{y\}\|%\#$~^\\", text)
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| ")}
        self.assertEqual(bars, {8, 4})

    def test_errors_are_one_line(self):
        sweep = fake_runs.two_samplers(self.folder / "s")
        for arguments, part in (
            ((self.folder / "none",), "is no sweep directory"),
            ((sweep, "--baseline", "sampler.kind=urn"), "has no 'urn'; allowed: ugs, fls"),
            ((sweep, "--target", "0.8,85"), "--target 0.8,85: '85' is no accuracy"),
            ((sweep, "--series", "seed"), "--series seed: no such axis; allowed: sampler.kind"),
            ((sweep, "--metric", "beauty"), "--metric beauty: no such figure"),
            ((sweep, "--metric", "status"), "not a number"),
            ((sweep, "--confidence", "1"), "--confidence 1: allowed: between 0 and 1"),
            ((sweep, "--no-html", "--csv", "/proc/none"), "/proc/none"),
        ):
            self.assertIn(part, self.report(*arguments, code=2))

    def test_other_metrics(self):
        text = self.report(
            fake_runs.two_samplers(self.folder / "s"),
            "--no-html",
            "--metric",
            "steps_per_epoch",
            "--metric",
            "bytes_up",
        )
        self.assertRegex(text, r"ugs +3 +2\.0000 \+- 0\.0000 +1\.000 \+- 0\.000")


class Balanced(html.parser.HTMLParser):
    """Fails on tags that do not match, and collects text, scripts and addresses."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.texts, self.scripts, self.addresses = [], [], {}, []
        self._script = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag == "script":
            self._script = attrs.get("id") or attrs.get("type")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        else:
            self.texts.append(data)


@unittest.skipUnless(HAS_FIGURES, "no vl-convert-python: scripts/python.sh installs it")
class Page(Calls):
    def page(self, path):
        found = Balanced()
        found.feed(path.read_text(encoding="utf-8"))
        self.assertEqual(found.open, [])
        return found

    def test_the_page_contains_everything_and_loads_nothing(self):
        sweep = fake_runs.two_samplers(self.folder / "s")
        self.assertIn(f"page: {sweep / 'report.html'}", self.report(sweep))
        page = self.page(sweep / "report.html")
        self.assertTrue(all(address.startswith("#") for address in page.addresses), page.addresses)
        names = [figure["name"] for figure in json.loads(page.scripts["figures"])]
        self.assertEqual(
            names, ["accuracy_time", "accuracy_epoch", "pareto", "deviation", "clients", "partition", "recall"]
        )
        configs = json.loads(page.scripts["configs"])
        text = "\n".join(configs["lines"][at] for at in configs["runs"]["r4"])
        self.assertEqual(text.strip(), (sweep / "runs" / "r4" / "config.toml").read_text().strip())

    def test_names_are_escaped(self):
        sweep = self.odd_sweep()
        self.report(sweep)
        page = self.page(sweep / "report.html")
        self.assertIn(ODD, page.texts)
        series = {
            row.get("group")
            for figure in json.loads(page.scripts["figures"])
            for row in figure["spec"]["data"]["values"]
        }
        self.assertIn(ODD, series)

    def test_nothing_to_draw(self):
        sweep = fake_runs.write_sweep(self.folder / "s", {"seed": ["1"]}, [(("1",), "failed", "no", None)])
        self.report(sweep)
        self.assertEqual(json.loads(self.page(sweep / "report.html").scripts["figures"]), [])

    def test_not_finite_figures_are_left_out(self):
        fake_runs.write_run(
            self.folder / "a",
            {"seed": 1},
            accuracies=(0.5, None, 0.6),
            deviations=("nan", "inf", 0.2)[2:],
            losses=("nan", "inf", "nan"),
            recall=(0.5, None),
        )
        self.report(self.folder / "a", "--html", self.folder / "r.html")
        self.page(self.folder / "r.html")

    def test_large_sweeps_stay_small(self):
        """64 groups of long runs with many clients: a few MB."""
        runs = [
            (
                (str(at), "1"),
                "completed",
                "",
                {"accuracies": [0.001 * e for e in range(1, 151)], "clients": [(5 + k, 1) for k in range(150)]},
            )
            for at in range(64)
        ]
        sweep = fake_runs.write_sweep(
            self.folder / "s", {"sampler.delta": [str(at) for at in range(64)], "seed": ["1"]}, runs
        )
        self.report(sweep)
        page = self.page(sweep / "report.html")
        self.assertLess(len(page.scripts["figures"]), 3_000_000)

    def test_files_of_figures(self):
        self.report(fake_runs.two_samplers(self.folder / "s"), "--no-html", "--figures", self.folder / "f")
        starts = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG"}
        for name in ("accuracy_time", "clients", "deviation", "pareto"):
            for ending, start in starts.items():
                content = (self.folder / "f" / f"{name}.{ending}").read_bytes()
                self.assertTrue(content.startswith(start), (name, ending))
        drawn = (self.folder / "f" / "accuracy_time.svg").read_text()
        self.assertIn("virtual time [s]", drawn)
        for colour in ("#0072B2", "#D55E00"):
            self.assertIn(colour, drawn)
        self.assertIn("stroke-dasharray", drawn)


if __name__ == "__main__":
    unittest.main()
