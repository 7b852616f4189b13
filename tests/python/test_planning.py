"""Partitions, schedules and timelines are those of the executables; arrays are what they are said to be."""
import threading

import numpy as np

import splitsim
from support import Case, execute, options

SAMPLERS = {"ugs": {}, "urn": {"delta": 1.5}, "lds": {"delta": 0.5}, "fls": {}, "fpls": {}, "speed": {}, "makespan": {},
            "lb_greedy": {"target": "stratified"}, "lb_flow": {}, "pack": {"levels": 4, "order": "slow_first"}, "lbpack": {},
            "relay": {"local_epochs": 2}}


class Parity(Case):
    def test_every_sampler_has_the_hashes_of_splitsim_run(self):
        for kind, keys in SAMPLERS.items():
            with self.subTest(kind):
                out = self.path(kind)
                settings = {"sampler.kind": kind, **{f"sampler.{key}": value for key, value in keys.items()}, "seed": 5,
                            "train.on_nonfinite": "continue"}
                execute("splitsim-run", self.config, *options(settings), "--device", "cpu", "--out", out)
                plan = splitsim.Planner(self.config, device="cpu", **settings)
                summary, epochs, steps = self.summary(out), self.epochs(out), self.rows(out / "steps.csv")
                self.assertEqual(plan.population.sha256, summary["partition_sha256"])
                np.testing.assert_array_equal(plan.population.owner, np.load(out / "partition.npy"))
                planned = list(plan.epochs(2))
                for (schedule, timeline), record in zip(planned, epochs):
                    self.assertEqual(schedule.sha256, record["schedule_sha256"])
                    self.assertEqual(timeline.sha256, record["timeline_sha256"])
                self.assertEqual(np.concatenate([t.end_ns for _, t in planned]).tolist(), [int(s["end_ns"]) for s in steps])
                self.assertEqual(np.concatenate([s.deviation for s, _ in planned]).tolist(),
                                 [float(s["batch_deviation"]) for s in steps])
                self.assertEqual(np.concatenate([s.active_clients for s, _ in planned]).tolist(),
                                 [int(s["active_clients"]) for s in steps])
                waiting = sum(np.bincount(t.client, t.waiting_ns, minlength=6) for _, t in planned)
                self.assertEqual(waiting.tolist(), [int(c["waiting_ns"]) for c in self.rows(out / "clients.csv")])

    def test_labels_alone_as_splitsim_sample(self):
        out = self.path("samples")
        settings = {"partition.clients": 8, "seed": 3, "sampler.batch": 32}
        execute("splitsim-sample", "--synthetic", "1000,10", "--samplers", "ugs,fls,lds:delta=1", *options(settings),
                "--epochs", 1, "--out", out, "--cut-bytes", 1000, "--device", "cpu")
        for row, sampler in zip(self.rows(out / "samplers.csv"), ("ugs", "fls", {"kind": "lds", "delta": 1.0})):
            plan = splitsim.Planner(settings, labels=np.arange(1000) % 10, cut_bytes=1000, sampler=sampler)
            schedule, timeline = plan.epoch()
            self.assertAlmostEqual(timeline.end_ns[-1] * 1e-9, float(row["virtual_time_s"]), places=12)
            self.assertAlmostEqual(schedule.deviation.mean(), float(row["batch_deviation_mean"]), places=12)

    def test_partition(self):
        for kind, keys in {"iid": {}, "dirichlet": {"alpha": 0.3}, "shards": {"shards_per_client": 2},
                           "extended_dirichlet": {"classes_per_client": 3, "rule": "original"}}.items():
            owner = splitsim.partition(self.labels, kind, 6, seed=9, **keys)
            plan = splitsim.Planner(self.config, seed=9, partition={"kind": kind, **keys} if kind == "dirichlet" else
                                    {"kind": kind, "alpha": 3.0, **keys} if kind == "extended_dirichlet" else
                                    {"kind": kind, **keys}, device="cpu")
            np.testing.assert_array_equal(owner, plan.population.owner)
            self.assertEqual((owner.dtype, owner.shape, owner.flags.c_contiguous), (np.int32, (240,), True))
        self.assertNotEqual(owner.tolist(), splitsim.partition(self.labels, kind, 6, seed=8, **keys).tolist())

    def test_partition_by_whom_samples_come_from(self):
        people = np.array(["mona", "ada", "zoe"])[np.arange(240) % 3]
        owner = splitsim.partition(self.labels, "by_column", 3, column=people)
        self.assertEqual(owner[:3].tolist(), [1, 0, 2])
        np.testing.assert_array_equal(owner, splitsim.partition(self.labels, "by_column", 3, column=owner * 10 - 7))

    def test_an_owner_of_ones_own(self):
        owner = np.arange(240) % 5
        schedule = splitsim.schedule(labels=self.labels, owner=owner, sampler={"kind": "fls", "batch": 20})
        self.assertEqual(schedule.client.max(), 4)
        np.testing.assert_array_equal(owner[schedule.sample], schedule.client)
        more = splitsim.Planner(labels=self.labels, owner=owner, partition={"clients": 9}, sampler={"batch": 20})
        self.assertEqual(more.population.clients, 9)
        self.assertEqual(more.population.sizes.tolist(), [48] * 5 + [0] * 4)

    def test_epochs_in_any_order(self):
        plan = splitsim.Planner(self.config, device="cpu")
        forwards = [plan.epoch(e) for e in range(4)]
        for e in (3, 0, 2, 1, 1):
            self.assertEqual(plan.schedule(e).sha256, forwards[e][0].sha256)
            self.assertEqual(plan.timeline(e).sha256, forwards[e][1].sha256)
        self.assertEqual(len({s.sha256 for s, _ in forwards}), 4)
        self.assertEqual(forwards[2][1].start_ns[0], forwards[1][1].end_ns[-1])
        self.assertEqual(splitsim.timeline(self.config, epoch=3, device="cpu").sha256, forwards[3][1].sha256)

    def test_threads_change_nothing_and_planners_may_share_them(self):
        expected = splitsim.schedule(self.config, epoch=1, threads=1).sha256
        self.assertEqual(splitsim.schedule(self.config, epoch=1, threads=3).sha256, expected)
        plan, found = splitsim.Planner(self.config), []
        several = [threading.Thread(target=lambda: found.append(plan.schedule(1).sha256)) for _ in range(6)]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join()
        self.assertEqual(found, [expected] * 6)


class Arrays(Case):
    def test_schedule(self):
        schedule = splitsim.schedule(self.config)
        slots, steps = 240, len(schedule)
        for name, shape, dtype in (("step", (slots,), np.int32), ("client", (slots,), np.int32),
                                   ("sample", (slots,), np.int32), ("step_first", (steps + 1,), np.int32),
                                   ("deviation", (steps,), np.float64), ("drift", (steps,), np.float64),
                                   ("missed", (steps,), np.int32), ("deferred", (steps,), np.int32),
                                   ("absent", (steps,), np.int32), ("triples", (slots, 3), np.int32)):
            array = getattr(schedule, name)
            self.assertEqual((array.shape, array.dtype, array.flags.c_contiguous), (shape, dtype, True), name)
        self.assertEqual(sorted(schedule.sample.tolist()), list(range(slots)))
        np.testing.assert_array_equal(np.concatenate(list(schedule)), schedule.sample)
        np.testing.assert_array_equal(schedule[-1], schedule.sample[schedule.step == steps - 1])
        np.testing.assert_array_equal(schedule.clients_of(1), schedule.client[schedule.step == 1])
        self.assertEqual([len(set(schedule.clients_of(t))) for t in range(steps)], schedule.active_clients.tolist())
        with self.assertRaises(IndexError):
            schedule[steps]
        pool = np.bincount(self.labels) / slots
        deviations = [np.abs(np.bincount(self.labels[batch], minlength=4) / len(batch) - pool).sum() for batch in schedule]
        np.testing.assert_allclose(schedule.deviation, deviations, atol=1e-12)
        copy = schedule.sample.copy()
        del schedule
        splitsim.schedule(self.config, epoch=1)
        self.assertEqual(sorted(copy.tolist()), list(range(slots)))

    def test_timeline(self):
        timeline = splitsim.timeline(self.config)
        steps, entries = len(timeline), len(timeline.step)
        for name, length, dtype in (("start_ns", steps, np.int64), ("end_ns", steps, np.int64),
                                    ("critical_forward", steps, np.int32), ("critical_backward", steps, np.int32),
                                    ("step", entries, np.int32), ("client", entries, np.int32),
                                    ("waiting_ns", entries, np.int64), ("active_ns", entries, np.int64)):
            array = getattr(timeline, name)
            self.assertEqual((array.shape, array.dtype, array.flags.c_contiguous), ((length,), dtype, True), name)
        np.testing.assert_array_equal(timeline.start_ns[1:], timeline.end_ns[:-1])
        np.testing.assert_array_equal(timeline.active_ns, timeline.duration_ns[timeline.step])
        share = timeline.waiting_share(7)
        self.assertTrue(np.all((share[:6] >= 0) & (share[:6] <= 1)) and np.isnan(share[6]))

    def test_population(self):
        population = splitsim.Planner(self.config).population
        self.assertEqual((population.samples, population.clients, population.classes, population.batch), (240, 6, 4, 24))
        np.testing.assert_array_equal(population.labels, self.labels)
        expected = np.zeros((6, 4), int)
        np.add.at(expected, (population.owner, population.labels), 1)
        np.testing.assert_array_equal(population.class_counts, expected)
        np.testing.assert_array_equal(population.sizes, expected.sum(axis=1))
        self.assertEqual((population.delay_ns.shape, population.delay_ns.dtype), ((6,), np.int64))

    def test_absent_clients_leave_steps_empty(self):
        schedule = splitsim.schedule(self.config, clients={"availability": "bernoulli", "available": 0.05}, seed=2)
        self.assertEqual(schedule.missed.sum() + len(schedule.sample), 240)
        self.assertGreater(schedule.absent.sum(), 0)
        self.assertIn(0, [len(batch) for batch in schedule])
        self.assertIn("is empty", self.message(splitsim.InputError, schedule.save, self.path("s.npy")))

    def test_silent_settings_are_warnings(self):
        with self.assertWarnsRegex(splitsim.SilentSetting, "urn draws as ugs does"):
            splitsim.schedule(self.config, sampler={"kind": "urn"})


class Mistakes(Case):
    def refused(self, function, *arguments, **keywords):
        return self.message(splitsim.InputError, function, *arguments, **keywords)

    def test_of_arguments(self):
        labels = self.labels
        for text, keywords in {
                "labels: float64 values; allowed: integers": dict(labels=labels / 2),
                "labels: shape (240, 1)": dict(labels=labels[:, None]),
                "labels: there are none": dict(labels=labels[:0]),
                "labels: -1; allowed": dict(labels=labels - 1),
                "those of 32 bits": dict(labels=labels + 2**40),
                "classes = 3: allowed": dict(labels=labels, classes=3),
                "classes = 4: allowed: with labels": dict(classes=4),
                "epoch = -1: allowed": dict(epoch=-1),
                "epoch = 1.5: allowed": dict(epoch=1.5),
                "epoch = True: allowed": dict(epoch=True),
                "image_shape = (28, 28)": dict(labels=labels, image_shape=(28, 28)),
                "integers from 1 to 65536": dict(labels=labels, image_shape=(65537, 1, 1)),
                "cut_bytes = 0": dict(cut_bytes=0),
                "threads = 0": dict(threads=0),
                "threads = 5000": dict(threads=5000),
                'device = "gpu": allowed: "auto", "cpu", "cuda"': dict(device="gpu"),
                "device = None": dict(device=None),
                "sampler.batch = 100000": dict(labels=labels, sampler={"batch": 100000}),
                "owner": dict(labels=labels, owner=np.zeros(3, int)),
                "sample 0 has owner 7": dict(labels=labels, owner=np.full(240, 7), partition={"clients": 3}),
                "sampler.kind = \"callable\"": dict(sampler="callable")}.items():
            with self.subTest(text):
                self.assertIn(text, self.refused(splitsim.schedule, **keywords))

    def test_of_partition(self):
        for text, keywords in {"partition.clients = 0": dict(clients=0), "partition.alpha = -1": dict(alpha=-1.0),
                               "partition.kind": dict(kind="none"), "label_noise": dict(label_noise=0.1),
                               "rotation": dict(rotation="half"), "column: must be given": dict(kind="by_column"),
                               "column: not read": dict(column=np.zeros(240, int)),
                               "column: float64": dict(kind="by_column", column=np.zeros(240)),
                               "shape (3,)": dict(kind="by_column", column=np.zeros(3, int)),
                               "partition.clients = 32": dict(kind="by_column", column=np.zeros(240, int)),
                               "partition.alpha": dict(kind="iid", alpha=1.0), "seed": dict(seed=-1),
                               "241": dict(kind="iid", clients=241)}.items():
            with self.subTest(text):
                self.assertIn(text, self.refused(splitsim.partition, self.labels, **keywords))

    def test_of_triples(self):
        owner = np.array([0, 1, 0])
        np.testing.assert_array_equal(splitsim.triples([[1, 2], [0]], owner), [[0, 0, 2], [0, 1, 1], [1, 0, 0]])
        self.assertEqual(splitsim.triples([[1, 2], [0]], owner).dtype, np.int32)
        for text, batches in {"sample 3": [[0, 3]], "sample -1": [[-1]], "batches[1]": [[0], []], "one step": [],
                              "integers": [[0.5]]}.items():
            self.assertIn(text, self.refused(splitsim.triples, batches, owner))
