"""Configurations from files, dictionaries and keywords; exceptions; what imports without the compiled part."""
import pathlib
import subprocess
import sys

import numpy as np

import splitsim
from support import Case, execute


class Settings(Case):
    def test_defaults_are_those_of_the_executables(self):
        self.assertEqual(splitsim.Config().commented, execute("splitsim-run", "--print-config"))

    def test_ways_to_say_the_same(self):
        ways = [
            splitsim.Config({"sampler.kind": "lds", "sampler.delta": 2.0, "seed": 7}),
            splitsim.Config({"sampler": {"kind": "lds", "delta": 2}, "seed": 7}),
            splitsim.Config(sampler={"kind": "lds", "delta": np.float32(2.0)}, seed=np.int64(7)),
            splitsim.Config({"seed": 3}, seed=7, **{"sampler.kind": "lds", "sampler.delta": 2.0}),
            splitsim.Config(splitsim.Config(sampler={"kind": "lds"}), sampler={"delta": 2.0}, seed=7),
        ]
        for way in ways:
            self.assertEqual(way, ways[0])
            self.assertEqual(way.sha256, ways[0].sha256)
        self.assertEqual(ways[0].to_dict()["sampler"]["delta"], 2.0)
        self.assertNotEqual(ways[0], splitsim.Config())

    def test_values_of_every_type(self):
        config = splitsim.Config(
            data={"augment": {"flip": True}}, model={"name": "layers", "layers": [
                {"kind": "conv", "out": 4, "kernel": 3}, {"kind": "relu"}], "cut": "conv1"},
            clock={"delay_ms": {"kind": "constant", "value": 2.5}}, train={
                "client_optimizer": {"schedule": "multistep", "milestones": (1, np.int32(2))}, "epochs": 3})
        read = config.to_dict()
        self.assertIs(read["data"]["augment"]["flip"], True)
        self.assertEqual(read["clock"]["delay_ms"], {"kind": "constant", "value": 2.5})
        self.assertEqual(read["train"]["client_optimizer"]["milestones"], [1, 2])
        self.assertEqual(len(read["model"]["layers"]), 2)
        odd = 'a "b"\\ \u00e4\n=#'  # a path is any text
        self.assertEqual(splitsim.Config(data={"name": "npy", "dir": "/" + odd}).to_dict()["data"]["dir"], "/" + odd)

    def test_paths_count_from_where_they_are_said(self):
        self.assertEqual(splitsim.Config(self.config).to_dict()["data"]["dir"], str(self.folder / "data"))
        here = splitsim.Config(data={"name": "npy", "dir": pathlib.Path("data")})
        self.assertEqual(here.to_dict()["data"]["dir"], str(pathlib.Path.cwd() / "data"))

    def test_says(self):
        config = splitsim.Config({"sampler": {"batch": 128}}, **{"clock.delay_ms.kind": "constant"})
        for key, said in (("sampler.batch", True), ("sampler.kind", False), ("sampler", True), ("clock.delay_ms", True)):
            self.assertIs(config.says(key), said, key)
        self.assertTrue(splitsim.Config(self.config).says("partition.clients"))

    def test_mistakes(self):
        def of(*arguments, **settings):
            return self.message(splitsim.InputError, splitsim.Config, *arguments, **settings)

        self.assertEqual(of(sampler={"batch": 0}),
                         "settings: sampler.batch = 0: allowed: an integer in [1, 2147483647]")
        self.assertEqual(of({"sampler.kinds": "ugs"}), "settings: unknown key sampler.kinds; did you mean sampler.kind?")
        self.assertIn("does not read it", of(sampler={"kind": "ugs", "delta": 1.0}))
        self.assertIn("sampler.batch = None: allowed:", of(sampler={"batch": None}))
        self.assertIn("seed = (1+2j): allowed:", of(seed=1 + 2j))
        self.assertIn("key 3", of({3: 1}))
        self.assertIn("unknown key", of({"sampler = 1\nseed": 1}))
        self.assertIn("config = 3: allowed:", of(3))
        self.assertIn("cannot read", of(self.folder / "missing.toml"))
        self.assertIn("UTF-8", of(self.file("latin.toml", "[data]\nname = \"\u00e4\"".encode("latin-1"))))
        wrong = self.file("wrong.toml", b"[sampler]\nbatch = 0\n")
        self.assertEqual(of(wrong), f"{wrong}:2:9: sampler.batch = 0: allowed: an integer in [1, 2147483647]")
        self.assertIn(f"{self.file('syntax.toml', b'[sampler')}:1:", of(self.file("syntax.toml", b"[sampler")))
        self.assertIn("nan", of(train={"lr": float("nan")}))
        self.assertIn("sampler.batch = ", of(sampler={"batch": 2**40}))

    def file(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def test_exceptions_are_what_callers_expect(self):
        for error, base in ((splitsim.InputError, ValueError), (splitsim.NoDevice, RuntimeError),
                            (splitsim.OutOfMemory, MemoryError), (splitsim.Diverged, ArithmeticError),
                            (splitsim.BackendError, RuntimeError)):
            self.assertTrue(issubclass(error, base) and issubclass(error, splitsim.Error))

    def test_imports_without_the_compiled_part(self):
        package = pathlib.Path(splitsim.__file__).parent
        code = ("import sys; sys.modules['splitsim._core'] = None\n"
                "import splitsim, splitsim.errors\nassert 'run' in dir(splitsim)\n"
                "try:\n    splitsim.Config()\nexcept ImportError as error:\n    print(error)\n")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=package.parent)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pip install .", done.stdout)

    def test_every_public_name_has_a_docstring(self):
        for name in splitsim.__all__:
            try:
                self.assertTrue(getattr(splitsim, name).__doc__, name)
            except ModuleNotFoundError as error:
                self.assertIn(error.name, ("pandas", "splitsim.frames"))  # of load()

    def test_leaves_the_environment_alone(self):
        code = ("import os, splitsim\nbefore = dict(os.environ)\nsplitsim.Config()\nassert dict(os.environ) == before\n")
        subprocess.run([sys.executable, "-c", code], check=True)
