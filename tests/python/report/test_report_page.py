"""The page of a report in headless Chromium: it draws, without a word on the console and without asking for anything,
and its tables sort. $SPLITSIM_CHROMIUM names another browser; without one the tests skip."""

import base64
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import fake_runs
from splitsim.report.__main__ import main

BROWSER = next(
    filter(
        None,
        map(shutil.which, (os.environ.get("SPLITSIM_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")),
    ),
    None,
)
HAS_FIGURES = importlib.util.find_spec("vl_convert") is not None

# Runs in the page when it has drawn, and leaves what it saw as JSON in the document.
PROBE = """
<script type="module">
const seen = { marks: {}, sorted: {} };
while (document.body.dataset.drawn === undefined) await new Promise((next) => setTimeout(next, 50));
for (const section of document.querySelectorAll("section[id^=figure-]")) {
  const marks = {};
  for (const kind of ["line", "area", "rect", "symbol", "rule", "text"]) {
    marks[kind] = section.querySelectorAll(`g.mark-${kind}.role-mark > *`).length;
  }
  const bands = [...section.querySelectorAll("g.mark-area.role-mark > path")].map((band) => band.getBBox().height);
  const axes = [...section.querySelectorAll("g.role-axis-title text")].map((text) => text.textContent);
  const labels = [...section.querySelectorAll("g.role-legend-label text")].map((text) => text.textContent);
  const box = section.querySelector("svg").getBoundingClientRect();
  seen.marks[section.id.slice(7)] = { ...marks, bands, axes, labels, width: box.width, height: box.height };
}
const table = document.querySelector("#table-runs table");
const buttons = [...table.tHead.rows[0].cells].map((cell) => cell.querySelector("button"));
const column = (at) => [...table.tBodies[0].rows].map((row) => row.cells[at].textContent);
const accuracy = buttons.findIndex((button) => button.textContent.startsWith("test accuracy"));
seen.sorted.before = column(0);
buttons[accuracy].click();
seen.sorted.ascending = column(accuracy);
seen.sorted.runs = column(0);
seen.sorted.state = table.tHead.rows[0].cells[accuracy].getAttribute("aria-sort");
buttons[accuracy].click();
seen.sorted.descending = column(accuracy);
buttons[0].click();
seen.sorted.names = column(0);
const details = document.querySelector("details.config");
details.open = true;
await new Promise((next) => setTimeout(next, 200));
seen.config = details.querySelector("pre").textContent;
seen.errors = [...document.querySelectorAll("p.error")].map((box) => box.textContent);
seen.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
const result = document.createElement("pre");
result.id = "seen";
result.textContent = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(seen))));
document.body.append(result);
</script>
"""


def browse(path):
    """(what the probe saw, what the console said) of a page."""
    probed = path.with_name("probed.html")
    page, end, after = path.read_text(encoding="utf-8").rpartition("</body>")
    probed.write_text(page + PROBE + end + after, encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        ended = subprocess.run(
            [
                BROWSER,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                f"--user-data-dir={profile}",
                "--enable-logging=stderr",
                "--virtual-time-budget=60000",
                "--window-size=1150,4000",
                "--dump-dom",
                probed.as_uri(),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
        )
    console = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'<pre id="seen">([^<]*)</pre>', ended.stdout)
    if not found:
        raise AssertionError(f"the page has not drawn: {console or ended.stderr[-2000:]}")
    return json.loads(base64.b64decode(found[1])), console


@unittest.skipUnless(HAS_FIGURES, "no vl-convert-python: scripts/python.sh installs it")
@unittest.skipUnless(BROWSER, "no Chromium: SPLITSIM_CHROMIUM names one")
class Browser(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def browsed(self, sweep):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(main([str(sweep)]), 0)
        seen, console = browse(sweep / "report.html")
        self.assertEqual(console, [])
        self.assertEqual(seen["errors"], [])
        self.assertEqual(seen["resources"], [])
        for name, figure in seen["marks"].items():
            self.assertGreater(figure["width"], 200, name)
            self.assertGreater(figure["height"], 100, name)
        return seen

    def test_it_draws_and_sorts(self):
        sweep = fake_runs.two_samplers(self.folder / "s")
        seen = self.browsed(sweep)
        marks = {
            name: {kind: figure[kind] for kind in ("line", "area", "rect", "symbol", "rule", "text") if figure[kind]}
            for name, figure in seen["marks"].items()
        }
        curve = {"line": 2, "area": 2, "symbol": 4}  # two samplers, two epochs
        self.assertEqual(
            marks,
            {
                "accuracy_time": curve,
                "accuracy_epoch": curve,
                "pareto": {"line": 1, "symbol": 6 + 2, "rule": 4},  # the front; runs and groups; bars both ways
                "deviation": {"line": 2, "area": 2, "symbol": 8},  # four steps
                "clients": {"rect": 2 * 2 * 3},  # groups x clients x states
                "partition": {"rect": 3},  # two classes and one
                "recall": {"rect": 4, "text": 4},
            },
        )
        self.assertEqual(seen["marks"]["accuracy_time"]["axes"], ["virtual time [s]", "test accuracy [%]"])
        self.assertEqual(seen["marks"]["accuracy_time"]["labels"], ["ugs", "fls"])
        # Both bands begin at 50 %, without spread; the axis, 330 high, goes from there to the upper end of ugs' band
        # and 3 % beyond: 83.33 + 3.06 %. The band of fls ends at 72 + 2.65 %.
        for band, span in zip(seen["marks"]["accuracy_time"]["bands"], (36.39, 24.65)):
            self.assertAlmostEqual(band, 330 * span / (1.06 * 36.39), delta=1.5)
        order = ["70.00", "71.00", "75.00", "80.00", "84.00", "86.00"]
        self.assertEqual(seen["sorted"]["ascending"], order)
        self.assertEqual(seen["sorted"]["runs"], ["r3", "r5", "r4", "r0", "r1", "r2"])
        self.assertEqual(seen["sorted"]["state"], "ascending")
        self.assertEqual(seen["sorted"]["descending"], order[::-1])
        self.assertEqual(seen["sorted"]["names"], seen["sorted"]["before"])
        self.assertIn('kind = "ugs"', seen["config"])

    def test_odd_names_many_series_and_missing_figures(self):
        odd = "</script><b>&\"'\\$"
        labels = [odd] + [f"v{at}" for at in range(11)]
        runs = [
            ((label, "1"), "completed", "", {"accuracies": (0.5, None, 0.1 + at / 20)})
            for at, label in enumerate(labels)
        ]
        runs.append(((odd, "2"), "failed", "<script>alert(1)</script>", None))
        sweep = fake_runs.write_sweep(self.folder / "s", {odd: labels, "seed": ["1", "2"]}, runs)
        seen = self.browsed(sweep)
        self.assertEqual(seen["marks"]["accuracy_time"]["line"], 12)
        self.assertEqual(seen["marks"]["accuracy_time"]["area"], 0)  # many series: no bands
        self.assertIn(odd + " (1 of 2 runs)", seen["marks"]["accuracy_time"]["labels"])
        self.assertEqual(seen["sorted"]["ascending"][-1], "-")  # what is absent goes last
        self.assertEqual(seen["sorted"]["descending"][-1], "-")


if __name__ == "__main__":
    unittest.main()
