"""Samplers written in Python: the bits of sampler.kind = "file", the same checks, exceptions, resuming."""
import threading
import traceback

import numpy as np

import splitsim
from support import HASHES, Case, execute, options


def shuffled(epoch, population):
    """Uniform batches, other ones in every epoch."""
    order = np.random.default_rng([population.seed, epoch]).permutation(population.samples)
    return splitsim.triples(np.array_split(order, population.samples // population.batch), population.owner)


def fixed(_, population):
    return shuffled(7, population)


class Sampler(Case):
    def test_has_the_bits_of_a_schedule_file(self):
        file = self.path("schedule.npy")
        splitsim.schedule(self.config, sampler=fixed).save(file)
        for name, settings in {"psl": {}, "sflv1": {"train": {"mode": "sflv1", "round": 3}},
                               "sflv2": {"train": {"mode": "sflv2"}},
                               "run_ahead": {"train": {"mode": "psl_local"}, "clock": {"barrier": "run_ahead"}},
                               "absent": {"clients": {"availability": "bernoulli", "available": 0.6,
                                                      "on_absence": "defer"}},
                               "late": {"clock": {"deadline_ms": 3.0}}}.items():
            with self.subTest(name):
                out = self.path(name)
                flat = {f"{table}.{key}": f'"{value}"' if isinstance(value, str) else value
                        for table, keys in settings.items() for key, value in keys.items()}
                execute("splitsim-run", self.config, *options({**flat, "sampler.kind": "file", "sampler.file": file}),
                        "--device", "cpu", "--out", out)
                result = splitsim.run(self.config, sampler=fixed, device="cpu", **settings)
                expected = self.summary(out)
                for key in HASHES[1:]:
                    self.assertEqual(result.summary[key], expected[key], key)
                self.assertEqual(result.summary["inputs"], expected["inputs"])
                for records in ("steps.csv", "clients.csv"):
                    self.assertEqual((result.directory / records).read_bytes(), (out / records).read_bytes())

    def test_our_own_samplers_through_python(self):
        for kind in ("ugs", "fls", "lb_greedy"):
            plan = splitsim.Planner(self.config, sampler=kind)
            own = splitsim.run(self.config, sampler=kind)
            through = splitsim.run(self.config, sampler=lambda epoch, _: plan.schedule(epoch))
            for key in HASHES[1:]:
                self.assertEqual(through.summary[key], own.summary[key], f"{kind} {key}")

    def test_is_asked_once_for_each_epoch_by_the_caller_and_told_who_is_there(self):
        asked = []

        def sampler(epoch, population):
            asked.append((epoch, threading.get_ident()))
            plan = splitsim.Planner(self.config).population
            self.assertEqual((population.clients, population.classes, population.batch, population.seed), (6, 4, 24, 1))
            np.testing.assert_array_equal(population.labels, self.labels)
            np.testing.assert_array_equal(population.owner, plan.owner)
            np.testing.assert_array_equal(population.delay_ns, plan.delay_ns)
            return shuffled(epoch, population)

        result = splitsim.run(self.config, sampler=sampler, train={"epochs": 3})
        self.assertEqual(asked, [(epoch, threading.get_ident()) for epoch in range(3)])
        self.assertEqual(len({record["schedule_sha256"] for record in result.epochs}), 3)
        plan = splitsim.Planner(self.config, sampler=shuffled)
        self.assertEqual([record["schedule_sha256"] for record in result.epochs],
                         [schedule.sha256 for schedule, _ in plan.epochs(3)])
        self.assertEqual([record["timeline_sha256"] for record in result.epochs],
                         [timeline.sha256 for _, timeline in plan.epochs(3)])

    def test_ways_to_return_rows(self):
        expected = splitsim.schedule(self.config, sampler=fixed).sha256
        for name, way in {"int64": lambda rows: rows.astype(np.int64), "tuple": lambda rows: tuple(rows.T),
                          "unsigned": lambda rows: rows.astype(np.uint16), "list": lambda rows: rows.tolist(),
                          "Fortran": np.asfortranarray}.items():
            with self.subTest(name):
                found = splitsim.schedule(self.config, sampler=lambda e, p, way=way: way(fixed(e, p))).sha256
                self.assertEqual(found, expected)

    def test_each_breach_is_one_line_with_epoch_and_row(self):
        good = splitsim.schedule(self.config, sampler=fixed).triples
        owner = splitsim.Planner(self.config).population.owner

        def with_row(row, column, value):
            rows = good.copy()
            rows[row, column] = value
            return rows

        stranger = int(np.flatnonzero(owner != good[0, 1])[0])
        shared = next(i for i in range(1, 240) if (good[i, :2] == good[i - 1, :2]).all())
        breaches = {
            "row 239: step 12 after step 9: steps must follow each other": with_row(239, 0, 12),
            "row 0: step 1: the first row must be of step 0": good + [1, 0, 0],
            "sorted by step, then client": good[np.lexsort((-good[:, 1], good[:, 0]))],
            f"gives sample {stranger}, which client {owner[stranger]} owns": with_row(0, 2, stranger),
            "sample 240: allowed are 0 to 239": with_row(0, 2, 240),
            "sample -1: allowed are ids from 0": with_row(0, 2, -1),
            f"row {shared}: sample {good[shared - 1, 2]} for the 2. time": with_row(shared, 2, good[shared - 1, 2]),
            "239 rows for 240 samples: every sample must occur equally often": good[:-1],
            "0 rows": good[:0],
            "allowed are ids from 0, or -1 in every row": with_row(3, 1, -1),
            "no client takes part": good * [1, 0, 1] - [0, 1, 0],
            "float64 values; allowed: integers": good.astype(float),
            "shape (240, 2)": good[:, :2],
            "shape (720,)": good.reshape(-1),
            "returned NoneType": None,
            "returned str": "rows",
            "240, 240, 239 steps, clients and samples": (good[:, 0], good[:, 1], good[1:, 2]),
            "those of 32 bits": good.astype(np.int64) + 2**33,
        }
        for text, rows in breaches.items():
            with self.subTest(text):
                def sampler(epoch, population, rows=rows):
                    return fixed(epoch, population) if epoch == 0 else rows

                out = self.path("out")
                message = self.message(splitsim.InputError, splitsim.run, self.config, out, force=True, sampler=sampler)
                self.assertTrue(message.startswith("sampler, epoch 1"), message)
                self.assertIn(text, message)
                message = self.message(splitsim.InputError, splitsim.schedule, self.config, sampler=lambda e, p, r=rows: r)
                self.assertTrue(message.startswith("sampler, epoch 0"), message)

    def test_epochs_may_differ_within_bounds(self):
        def uneven(epoch, population):
            order = np.random.default_rng(epoch).permutation(population.samples)
            return splitsim.triples(np.array_split(order, (10, 12, 8, 10)[epoch]), population.owner)

        def run(**bounds):
            def sampler(epoch, population):
                return uneven(epoch, population)
            for name, value in bounds.items():
                setattr(sampler, name, value)
            return splitsim.run(self.config, sampler=sampler, train={"epochs": 4})

        self.assertIn("epoch 1: 12 steps; allowed: at most 10, the sampler's max_steps",
                      self.message(splitsim.InputError, run))
        self.assertIn("epoch 2: 30 samples in a step; allowed: at most 24, the sampler's max_batch",
                      self.message(splitsim.InputError, run, max_steps=12))
        self.assertIn("epoch 0: 10 steps; allowed: at most 9", self.message(splitsim.InputError, run, max_steps=9))
        result = run(max_steps=12, max_batch=30)
        self.assertEqual([record["steps"] for record in result.epochs], [10, 12, 8, 10])
        self.assertEqual(len(result.steps["epoch"]), 40)
        for bad in (0, True, 1.5, "3"):
            self.assertIn("max_steps = ", self.message(splitsim.InputError, run, max_steps=bad))

    def test_exceptions_reach_the_caller(self):
        class Mine(Exception):
            pass

        for epoch_of_error in (0, 1):
            def sampler(epoch, population):
                if epoch == epoch_of_error:
                    raise Mine(epoch)
                return shuffled(epoch, population)

            out = self.path(f"out{epoch_of_error}")
            try:
                splitsim.run(self.config, out, sampler=sampler)
                self.fail("nothing was raised")
            except Mine as error:
                self.assertEqual(error.args, (epoch_of_error,))
                self.assertIn("sampler", [frame.name for frame in traceback.extract_tb(error.__traceback__)])
            self.assertEqual(out.exists(), epoch_of_error == 1)
        resumed = splitsim.run(out=out, sampler=shuffled, resume=True)
        self.assertEqual(resumed.summary["model_sha256"],
                         splitsim.run(self.config, sampler=shuffled).summary["model_sha256"])

    def test_resume(self):
        out = self.path("out")
        splitsim.run(self.config, out, sampler=shuffled)
        self.assertIn('sampler.kind = "callable"',
                      self.message(splitsim.InputError, splitsim.run, out=out, resume=True, train={"epochs": 4}))
        self.assertIn("schedule has other content",
                      self.message(splitsim.InputError, splitsim.run, out=out, resume=True, train={"epochs": 4},
                                   sampler=lambda e, p: shuffled(e + 1, p)))
        longer = splitsim.run(out=out, resume=True, train={"epochs": 4}, sampler=shuffled)
        whole = splitsim.run(self.config, train={"epochs": 4}, sampler=shuffled)
        for key in HASHES:
            self.assertEqual(longer.summary[key], whole.summary[key], key)

    def test_what_a_file_must_not_this_must_not(self):
        self.assertIn("cut.error_feedback", self.message(
            splitsim.InputError, splitsim.run, self.config, sampler=shuffled,
            cut={"up": "top_k", "error_feedback": True}))
