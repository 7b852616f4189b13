"""The table of docs/results.md that has a committed CSV is made of it, and the CSV's means are those of its runs.
`python3 tests/python/report/test_results.py` prints the table."""

import csv
import pathlib
import statistics
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "experiments" / "results" / "samplers_fashion_mnist"
HEADING = "## Fashion-MNIST: four samplers, two skews, five seeds"
HEAD = [
    "| classes per client | sampler | test accuracy | difference from `ugs`, 95 % interval | batch deviation "
    "| virtual time | to 70 % | to 80 % |",
    "|---|---|---|---|---|---|---|---|",
]
SKEW = "partition.classes_per_client"


def rows_of(name):
    with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table():
    """Lines of Markdown."""
    differences = {(r["sampler"], r[SKEW]): r for r in rows_of("differences") if r["figure"] == "test accuracy [%]"}
    times = {(r["sampler"], r[SKEW], r["target"]): r for r in rows_of("times")}
    lines = []
    for row in sorted(rows_of("groups"), key=lambda row: int(row[SKEW])):
        sampler, skew = row["sampler"], row[SKEW]
        accuracy, spread = float(row["test accuracy [%] mean"]), float(row["test accuracy [%] std"])
        against = differences.get((sampler, skew))
        cells = [skew, f"`{sampler}`", f"{accuracy:.2f} +- {spread:.2f} %"]
        cells.append(
            f"{float(against['mean difference']):+.2f} [{float(against['low 95 %']):.2f}, {float(against['high 95 %']):.2f}]"
            if against
            else "-"
        )
        cells += [f"{float(row['batch deviation [L1] mean']):.3f}", f"{float(row['virtual time [s] mean']):.1f} s"]
        for target in ("0.7", "0.8"):
            time = times[sampler, skew, target]
            share = "" if time["reached"] == time["n"] else f" ({time['reached']} of {time['n']})"
            cells.append(f"{float(time['mean of reached']):.1f} s{share}")
        lines.append("| " + " | ".join(cells) + " |")
    return HEAD + lines


class Results(unittest.TestCase):
    def test_the_page_has_the_numbers_of_the_files(self):
        text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
        section = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
        self.assertEqual([line for line in section.splitlines() if line.startswith("|")], table())

    def test_means_are_those_of_the_runs(self):
        runs = rows_of("runs")
        self.assertEqual(len(runs), 40)
        compared = 0
        for group in rows_of("groups"):
            own = [r for r in runs if (r["sampler"], r[SKEW]) == (group["sampler"], group[SKEW])]
            self.assertEqual([r["status"] for r in own], ["completed"] * 5)
            for heading in ("test accuracy [%]", "batch deviation [L1]", "virtual time [s]"):
                values = [float(r[heading]) for r in own]
                self.assertAlmostEqual(float(group[f"{heading} mean"]), statistics.mean(values), places=9)
                self.assertAlmostEqual(float(group[f"{heading} std"]), statistics.stdev(values), places=9)
                compared += 1
        self.assertEqual(compared, 24)


if __name__ == "__main__":
    print("\n".join(table()))
