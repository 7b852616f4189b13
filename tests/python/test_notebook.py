"""The example notebook runs, and its table is that of docs/results.md ("Time against deviation")."""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "python/examples/time_against_deviation.ipynb"
NEEDED = ("nbclient", "nbformat", "ipykernel", "matplotlib")

# Run by a Python that has a notebook's kernel; prints the text of all outputs and how many figures there are.
EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
figures = 0
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            print(output.text, end="")
        figures += "image/png" in output.get("data", {})
print("figures", figures)
"""


def python_with_notebooks():
    """This Python, or the system's with this package beside its own. None: neither has what is needed."""
    if all(importlib.util.find_spec(name) for name in NEEDED):
        return sys.executable
    system = "/usr/bin/python3"
    probe = f"import {', '.join(NEEDED)}, sys, sysconfig; print(sysconfig.get_config_var('SOABI'))"
    done = subprocess.run([system, "-c", probe], capture_output=True, text=True) if os.path.exists(system) else None
    import sysconfig
    same = done is not None and done.returncode == 0 and done.stdout.strip() == sysconfig.get_config_var("SOABI")
    return system if same else None


class Notebook(unittest.TestCase):
    def test_makes_the_table_of_the_results(self):
        python = python_with_notebooks()
        if python is None:
            self.skipTest("no Python has " + ", ".join(NEEDED) + " (Debian: python3-nbclient python3-ipykernel "
                          "python3-matplotlib)")
        import splitsim
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(pathlib.Path(splitsim.__file__).parent, pathlib.Path(folder) / "splitsim")
            env = {**os.environ, "PYTHONPATH": folder, "IPYTHONDIR": f"{folder}/ipython", "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                   "JUPYTER_PLATFORM_DIRS": "1", "XDG_RUNTIME_DIR": folder, "JUPYTER_RUNTIME_DIR": folder}
            done = subprocess.run([python, "-W", "ignore", "-c", EXECUTE, str(NOTEBOOK)], capture_output=True, text=True,
                                  env=env, cwd=folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = {name: (float(time), float(deviation)) for name, time, deviation in
                 re.findall(r"^(\w+(?: [\d.]+)?) +([\d.]+) +([\d.]+)$", done.stdout, re.MULTILINE)}
        results = (ROOT / "docs/results.md").read_text().split("## Time against deviation")[1].split("##")[0]
        compared = 0
        for line in results.splitlines():
            if not line.startswith("| `"):
                continue
            first, times, deviations = [cell.strip() for cell in line.strip("|").split("|")]
            names = re.findall(r"`(\w+)`", first)
            if "delta" in first:
                names = [f"{names[0]} {float(delta):g}" for delta in first.split("=")[1].split(",")]
            for name, time, deviation in zip(names, times.split(","), deviations.split(","), strict=True):
                self.assertEqual(table[name], (float(time), float(deviation)), name)
                compared += 1
        self.assertEqual(compared, 14)
        self.assertRegex(done.stdout, r"figures 1\n$")
