"""Training beside Python: other threads go on, several runs at once, Ctrl-C."""
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import splitsim
from support import Case


class Threads(Case):
    def test_other_threads_go_on(self):
        ticks, ended = [], threading.Event()

        def tick():
            while not ended.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.002)

        thread = threading.Thread(target=tick)
        thread.start()
        begin = time.monotonic()
        splitsim.run(self.config, train={"epochs": 60}, eval={"every_epochs": 0}, threads=1)
        wall = time.monotonic() - begin
        ended.set()
        thread.join()
        during = sum(begin < at < begin + wall for at in ticks)
        self.assertGreater(wall, 0.1)
        # Up to 500 a second; 20 if the lock were given away only where the caller looks after progress.
        self.assertGreater(during, 60 * wall, f"{during} in {wall} s")

    def test_several_runs_at_once(self):
        seeds, results, errors = (1, 2, 3), {}, []

        def train(seed):
            try:
                results[seed] = splitsim.run(self.config, seed=seed, threads=1, sampler="lds").summary["model_sha256"]
            except BaseException as error:  # noqa: B902: shown below
                errors.append(error)

        threads = [threading.Thread(target=train, args=(seed,)) for seed in seeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        for seed in seeds:
            alone = splitsim.run(self.config, seed=seed, threads=1, sampler="lds").summary["model_sha256"]
            self.assertEqual(results[seed], alone)

    def test_one_folder_is_one_run_s(self):
        out, refusals = self.path("out"), []

        def second(_):
            if not refusals:
                refusals.append(self.message(splitsim.InputError, splitsim.run, self.config, out, force=True))

        splitsim.run(self.config, out, on_epoch=second)
        self.assertIn("is in use by", refusals[0])

    def test_runs_within_a_run(self):
        inner = []
        outer = splitsim.run(self.config, on_epoch=lambda _: inner.append(splitsim.run(self.config)))
        self.assertEqual([r.summary["model_sha256"] for r in inner], [outer.summary["model_sha256"]] * 2)


class Interrupts(Case):
    """Of a process of its own, which gets SIGINT as by Ctrl-C."""

    def interrupted(self, code, when):
        """Runs code, which prints a line when it is time; gives what it printed after that."""
        package = pathlib.Path(splitsim.__file__).parent.parent
        env = {**os.environ, "PYTHONPATH": f"{package}:{pathlib.Path(__file__).parent}"}
        process = subprocess.Popen([sys.executable, "-u", "-c", textwrap.dedent(code)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=env)
        try:
            self.assertEqual(process.stdout.readline().strip(), when)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 0, err)
        return out.splitlines(), time.monotonic() - sent

    def test_ctrl_c_ends_the_run_at_the_next_step(self):
        out = self.path("out")
        lines, seconds = self.interrupted(f"""
            import threading, splitsim
            threading.Timer(1.0, print, ["now"]).start()  # the caller itself runs no Python meanwhile
            try:
                splitsim.run({str(self.config)!r}, {str(out)!r}, train={{"epochs": 100000}})
            except KeyboardInterrupt:
                print("interrupted True")
            print(splitsim.schedule({str(self.config)!r}).sha256)  # and the process goes on
            """, "now")
        self.assertEqual(lines[0], "interrupted True")
        self.assertEqual(lines[1], splitsim.schedule(self.config).sha256)
        self.assertLess(seconds, 20)
        self.assertFalse((out / "summary.json").exists())
        done = len(self.epochs(out))
        self.assertGreater(done, 0)
        self.assertLess(done, 100000)

    def test_ctrl_c_in_a_sampler(self):
        lines, _ = self.interrupted(f"""
            import time, splitsim
            def sampler(epoch, population):
                if epoch == 1:
                    print("now")
                    time.sleep(60)
                return splitsim.triples([list(range(240))], population.owner)
            try:
                splitsim.run({str(self.config)!r}, sampler=sampler)
            except KeyboardInterrupt:
                print("interrupted")
            """, "now")
        self.assertEqual(lines, ["interrupted"])

    def test_a_handler_of_ones_own(self):
        lines, _ = self.interrupted(f"""
            import signal, splitsim
            class Enough(Exception): pass
            def handler(*_): raise Enough("enough")
            signal.signal(signal.SIGINT, handler)
            told = []
            def on_epoch(record):
                if not told: print("now")
                told.append(record)
            try:
                splitsim.run({str(self.config)!r}, train={{"epochs": 100000}}, on_epoch=on_epoch)
            except Enough as error:
                print(error)
            """, "now")
        self.assertEqual(lines, ["enough"])
