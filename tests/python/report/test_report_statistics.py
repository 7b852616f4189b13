"""The numbers of a report against numbers computed by hand."""

import math
import pathlib
import tempfile
import unittest

import fake_runs
import splitsim
from splitsim.report import content, figure_data, groups
from splitsim.report import statistics as st


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def sweep(self, axes, runs):
        frames = splitsim.load(fake_runs.write_sweep(self.folder / "sweep", axes, runs))
        return frames, groups.group_runs(frames)


class Basics(unittest.TestCase):
    def test_t_quantiles_are_those_of_the_tables(self):
        for p, degrees, value in ((0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.975, 9, 2.26216), (0.995, 4, 4.60409)):
            self.assertAlmostEqual(st.t_quantile(p, degrees), value, places=4)

    def test_mean_and_sample_deviation(self):
        found = st.estimate([2.0, 4.0, 9.0])  # deviations -3, -1, 4: 26 / 2
        self.assertEqual((found.mean, found.n), (5.0, 3))
        self.assertAlmostEqual(found.std, math.sqrt(13.0))

    def test_one_value_has_no_deviation_and_none_has_no_mean(self):
        self.assertTrue(math.isnan(st.estimate([3.0]).std))
        self.assertEqual(st.estimate([3.0]).mean, 3.0)
        self.assertEqual(st.estimate([math.nan, math.inf, None]).n, 0)

    def test_median_counts_those_that_did_not_reach_as_later_than_any(self):
        self.assertEqual(st.Reached(0.8, (1.0, 2.0, 9.0), 3).median, 2.0)
        self.assertEqual(st.Reached(0.8, (1.0, 2.0), 3).median, 2.0)
        self.assertEqual(st.Reached(0.8, (1.0,), 3).median, math.inf)
        self.assertEqual(st.Reached(0.8, (1.0, 3.0), 2).median, 2.0)
        self.assertEqual(st.Reached(0.8, (1.0, 3.0), 4).median, math.inf)
        self.assertTrue(math.isnan(st.Reached(0.8, (), 0).median))


class Differences(Folder):
    def setUp(self):
        super().setUp()
        self.frames = splitsim.load(fake_runs.two_samplers(self.folder / "two"))
        self.grouping = groups.group_runs(self.frames)

    def paired(self, values, confidence=0.95, baseline="sampler.kind=ugs"):
        return st.paired(
            self.grouping,
            st.find_baseline(self.grouping, baseline),
            values,
            content.seeds_of(self.frames, self.grouping),
            confidence,
        )

    def accuracies(self):
        return content.values_of(self.frames, [st.METRICS["test_accuracy"]])["test_accuracy"]

    def test_mean_interval_and_pairs(self):
        (found,) = self.paired(self.accuracies())  # -10, -9, -15
        self.assertEqual((found.group.name, found.baseline.name, found.n, found.of), ("fls", "ugs", 3, 3))
        self.assertAlmostEqual(found.mean, -34.0 / 3)
        self.assertAlmostEqual(found.std, math.sqrt(31.0 / 3))  # 1.333^2 + 2.333^2 + 3.667^2 = 62 / 3
        half = 4.302653 * math.sqrt(31.0 / 3) / math.sqrt(3.0)
        self.assertAlmostEqual(found.low, -34.0 / 3 - half, places=5)
        self.assertAlmostEqual(found.high, -34.0 / 3 + half, places=5)

    def test_other_confidence(self):
        (found,) = self.paired(self.accuracies(), confidence=0.9)
        self.assertAlmostEqual(found.half, 2.919986 * math.sqrt(31.0 / 9), places=5)

    def test_pairs_need_both_runs(self):
        values = self.accuracies()
        del values["r0"]  # ugs, seed 1
        values["r4"] = math.nan  # fls, seed 2
        (found,) = self.paired(values)
        self.assertEqual((found.n, found.of), (1, 3))
        self.assertAlmostEqual(found.mean, -15.0)
        self.assertTrue(math.isnan(found.low))

    def test_a_baseline_that_is_not_there(self):
        for text, part in (
            ("sampler.kind=lds", "has no 'lds'"),
            ("model.cut=pool1", "is no axis"),
            ("ugs", "is no axis"),
        ):
            with self.assertRaisesRegex(splitsim.InputError, part):
                st.find_baseline(self.grouping, text)


class Crossed(Folder):
    def test_pairs_are_within_the_other_axes_and_seeds_may_be_unequal(self):
        accuracy = {
            ("ugs", "a", "1"): 0.9,
            ("ugs", "a", "2"): 0.8,
            ("ugs", "b", "1"): 0.6,
            ("fls", "a", "1"): 0.5,
            ("fls", "a", "2"): 0.3,
            ("fls", "b", "1"): 0.5,
            ("fls", "b", "2"): 0.4,
        }
        frames, grouping = self.sweep(
            {"sampler.kind": ["ugs", "fls"], "skew": ["a", "b"], "seed": ["1", "2"]},
            [(labels, "completed", "", {"accuracies": (value,)}) for labels, value in accuracy.items()],
        )
        values = content.values_of(frames, [st.METRICS["test_accuracy"]])["test_accuracy"]
        found = st.paired(
            grouping, st.find_baseline(grouping, "sampler.kind=ugs"), values, content.seeds_of(frames, grouping)
        )
        self.assertEqual(
            [(d.group.name, d.baseline.name, d.n, d.of) for d in found],
            [("fls, a", "ugs, a", 2, 2), ("fls, b", "ugs, b", 1, 2)],
        )
        self.assertAlmostEqual(found[0].mean, -45.0)
        self.assertAlmostEqual(found[1].mean, -10.0)
        self.assertEqual((grouping.series, grouping.panels), (("ugs", "fls"), ("a", "b")))

    def test_axes_that_vary_together_are_one(self):
        labels = [("ugs", "", "1"), ("lds", "0.5", "1"), ("lds", "2.0", "1")]
        frames, grouping = self.sweep(
            {"sampler.kind": ["ugs", "lds"], "sampler.delta": ["", "0.5", "2.0"], "seed": ["1"]},
            [(own, "completed", "", {"accuracies": (0.5 + at / 10,)}) for at, own in enumerate(labels)],
        )
        self.assertEqual(grouping.composites, (("sampler.kind", "sampler.delta"),))
        self.assertEqual(grouping.series, ("ugs", "lds, delta = 0.5", "lds, delta = 2.0"))
        values = content.values_of(frames, [st.METRICS["test_accuracy"]])["test_accuracy"]
        found = st.paired(
            grouping, st.find_baseline(grouping, "sampler.kind=ugs"), values, content.seeds_of(frames, grouping)
        )
        self.assertEqual([round(d.mean, 9) for d in found], [10.0, 20.0])
        with self.assertRaisesRegex(splitsim.InputError, "that is several"):
            st.find_baseline(grouping, "sampler.kind=lds")
        st.find_baseline(grouping, "sampler.kind=lds,sampler.delta=2.0")

    def test_crossed_axes_stay_apart(self):
        crossed = [(a, b, "1") for a in "xyz" for b in "pqr"]
        for labels, composites in ((crossed, (("a",), ("b",))), (crossed[:-1], (("a", "b"),))):
            _, grouping = self.sweep(
                {"a": list("xyz"), "b": list("pqr"), "seed": ["1"]}, [(own, "waiting", "", None) for own in labels]
            )
            self.assertEqual(grouping.composites, composites)


class Times(Folder):
    def times(self, target, **arguments):
        frames, _ = self.sweep({"seed": ["1"]}, [(("1",), arguments.pop("status", "completed"), "", arguments)])
        return st.times_to(frames, target)["r0"]

    def test_the_first_test_that_reaches_it_also_within_epochs(self):
        curve = {"accuracies": (0.4, 0.7), "times": (10.0, 20.0), "within": [(1, 1, 4.0, 0.55), (2, 1, 15.0, 0.6)]}
        self.assertEqual(self.times(0.5, **curve), 4.0)
        self.assertEqual(self.times(0.6, **curve), 15.0)
        self.assertEqual(self.times(0.7, **curve), 20.0)
        self.assertIsNone(self.times(0.71, **curve))

    def test_the_validation_set_decides_where_there_is_one(self):
        self.assertEqual(self.times(0.5, accuracies=(0.6, 0.6), validation=(0.4, 0.5)), 20.0)

    def test_runs_without_tests_reach_nothing(self):
        self.assertIsNone(self.times(0.1, accuracies=(None, None)))

    def test_who_counts(self):
        """Completed and diverged runs do, others do not; a diverged run that had reached the target has."""
        runs = [
            (("1",), "completed", "", {"accuracies": (0.9,), "times": (5.0,)}),
            (("2",), "completed", "", {"accuracies": (0.2,)}),
            (("3",), "diverged", "", {"accuracies": (0.8,), "times": (7.0,)}),
            (("4",), "diverged", "", {"accuracies": (0.1,)}),
            (("5",), "failed", "no space", None),
            (("6",), "interrupted", "", {"accuracies": (0.9,), "summary": False}),
            (("7",), "waiting", "", None),
        ]
        frames, grouping = self.sweep({"seed": list("1234567")}, runs)
        found = st.reached(grouping.groups[0], st.times_to(frames, 0.8), 0.8)
        self.assertEqual((found.times, found.n), ((5.0, 7.0), 4))
        self.assertEqual(found.estimate.mean, 6.0)
        options = content.Options((st.METRICS["test_accuracy"],), (0.8,))
        table = content.groups_table(frames, grouping, options)
        self.assertEqual([cell.text for cell in table.rows[0]], ["all runs", "2 of 7", "55.00 +- 49.50"])
        self.assertEqual(dict(zip(*table.plain))["diverged"], 2)
        self.assertEqual(
            [cell.text for cell in content.times_table(frames, grouping, options).rows[0]],
            ["all runs", "6.000 +- 1.414 (2 of 4)"],
        )
        missing = content.missing_table(frames)
        self.assertEqual([row[0].text for row in missing.rows], ["r2", "r3", "r4", "r5", "r6"])
        self.assertEqual(missing.rows[2][2].text, "no space")


class Drawn(Folder):
    def test_curves_match_tests_of_seeds_and_stop_where_one_ends(self):
        runs = [
            (("1",), "completed", "", {"accuracies": (0.2, 0.6, 0.8), "times": (10.0, 20.0, 30.0)}),
            (("2",), "completed", "", {"accuracies": (0.4, 0.8), "times": (12.0, 26.0)}),
            (("3",), "diverged", "", {"accuracies": (0.1,)}),
        ]
        frames, grouping = self.sweep({"seed": ["1", "2", "3"]}, runs)
        found = figure_data.curves(frames, grouping)
        self.assertEqual(found["epochs"].tolist(), [1.0, 2.0])
        self.assertEqual(found["time"].tolist(), [11.0, 23.0])
        for column, values in (("mean", (30.0, 70.0)), ("low", (30.0 - 200**0.5, 70.0 - 200**0.5))):
            for got, wanted in zip(found[column], values):
                self.assertAlmostEqual(got, wanted)
        self.assertEqual(set(found["series"]), {"all runs (2 of 3 runs)"})

    def test_long_runs_are_thinned_and_keep_their_end(self):
        many = [0.001 * (e + 1) for e in range(907)]
        frames, grouping = self.sweep({"seed": ["1"]}, [(("1",), "completed", "", {"accuracies": many})])
        found = figure_data.curves(frames, grouping)
        self.assertLessEqual(len(found), figure_data.CURVE_POINTS + 1)
        self.assertEqual(found["epochs"].iloc[-1], 907)
        binned = figure_data.deviations(frames, grouping)
        self.assertLessEqual(len(binned), figure_data.STEP_BINS)
        for value in binned["mean"][:-1]:  # bins of 16 steps, 0.2 and 0.4 in turn
            self.assertAlmostEqual(value, 0.3)

    def test_shares_of_clients(self):
        frames, grouping = self.sweep(
            {"seed": ["1", "2"]},
            [
                ((str(seed),), "completed", "", {"accuracies": (0.5,), "times": (10.0,), "clients": clients})
                for seed, clients in ((1, ((10, 4), (30, 2))), (2, ((10, 1), (30, 3))))
            ],
        )
        found = figure_data.client_shares(frames, grouping)
        # At work 6 and 8 of 10 s, 9 and 7: ranked 8, 6 and 9, 7.
        self.assertEqual(found["work"].tolist(), [85.0, 65.0])
        self.assertEqual(found["wait"].tolist(), [15.0, 35.0])

    def test_the_front_is_of_groups_that_none_beats(self):
        frames, grouping = self.sweep(
            {"kind": list("abcd"), "seed": ["1"]},
            [
                ((kind, "1"), "completed", "", {"accuracies": (accuracy,), "times": (time,)})
                for kind, accuracy, time in (("a", 0.9, 30.0), ("b", 0.8, 10.0), ("c", 0.7, 20.0), ("d", 0.85, 30.0))
            ],
        )
        points, _ = figure_data.outcomes(frames, grouping)
        self.assertEqual(figure_data.front(points)["time"].tolist(), [10.0, 30.0])

    def test_many_clients_are_binned(self):
        clients = [(10 + k, 1) for k in range(1000)]
        frames, grouping = self.sweep({"seed": ["1"]}, [(("1",), "completed", "", {"clients": clients})])
        self.assertLessEqual(len(figure_data.client_shares(frames, grouping)), figure_data.RANKS)
        rows, count = figure_data.partitions(frames, grouping.seeds)
        self.assertEqual(count, 1)
        self.assertLessEqual(rows["first"].nunique(), figure_data.RANKS)
        self.assertEqual(rows["samples"].sum(), frames.class_counts["samples"].sum())


if __name__ == "__main__":
    unittest.main()
