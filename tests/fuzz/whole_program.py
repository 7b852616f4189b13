#!/usr/bin/env python3
"""Runs splitsim-run under random configurations, drawn from the table of every key, on data sets of a few hundred images.

    whole_program.py BIN [--count 100] [--seed 1] [--only N] [--jobs 1] [--work DIR] [--slow]

BIN is a folder of executables with config_keys_json. A configuration that is refused with "KEY = VALUE: allowed: ..." is mended as
the message says and tried again, so that messages have to be true. What is checked of every one: exit code 0, 2 or 4, never
a crash or a hang; a refusal is one line; the files of a run that ends have no NaN where there must be a number and every
sample once per epoch; --resume of a finished run changes nothing; a sweep of two seeds, one by one or as one, leaves the
same files. --only N repeats one of them and shows its command.
"""
import argparse, concurrent.futures, csv, json, math, os, random, re, shutil, struct, subprocess, sys, tempfile

from sweeps import Finding, check_sweep

TIMEOUT_S = 120  # of one run; with --slow (sanitizers) ten times as long
EXPECTED = re.compile(r"splitsim-run: warning: |epoch \d+/\d+ step \d+/\d+ loss ")  # a long run says how far it is
CUTS = {"mlp": ["fc1", "relu1"], "cnn": ["pool1", "conv1", "relu1"], "lenet": ["pool1", "pool2"], "layers": ["a", "b"],
        "vgg11": ["pool1", "conv1"], "har_cnn": ["pool1", "conv1"], "text_cnn": ["embedding"], "vit": ["patch", "block1"]}
RESNET_CUTS = ["conv1", "norm1", "relu1", "layer1", "layer2", "layer3", "layer4"]
SANITIZER = re.compile(r"AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer|terminate called|Assertion")


def npy(path, code, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }" % (code, ", ".join(map(str, shape)))
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def make_data(folder):
    """Small sets: [folder, images, classes, side]."""
    sets = []
    draw = random.Random(0)
    for n, test, side, channels, classes in [(60, 10, 8, 1, 2), (97, 20, 8, 1, 3), (150, 30, 9, 1, 10), (200, 40, 8, 3, 5),
                                             (300, 25, 12, 1, 4), (64, 8, 10, 1, 1), (1, 1, 8, 1, 1), (120, 16, 12, 3, 7)]:
        name = os.path.join(folder, f"set{len(sets)}")
        os.makedirs(name)
        for part, count in (("", n), ("_test", test)):
            labels = [draw.randrange(classes) if draw.random() < 0.2 else i % classes for i in range(count)]
            pixels = bytes((60 * labels[i // (side * side * channels)] + draw.randrange(60)) % 256
                           for i in range(count * side * side * channels))
            shape = [count, side, side] + ([channels] if channels > 1 else [])
            npy(f"{name}/x{part}.npy", "|u1", shape, pixels)
            npy(f"{name}/y{part}.npy", "<i4", [count], b"".join(struct.pack("<i", v) for v in labels))
        sets.append({"dir": name, "n": n, "side": side, "classes": classes})
    return sets


def number(draw, low, high, above=False):
    """A real in [low, high]; None is no bound."""
    values = [0.0, 1e-6, 1e-3, 0.1, 0.5, 0.9, 1.0, 2.0, 10.0, 1e3, 1e6, draw.random(), draw.lognormvariate(0, 2)]
    values += [v for v in (low, high) if v is not None] + ([-1.0, -3.5] if low is None else [])
    fits = [v for v in values if (low is None or v > low or (v == low and not above)) and (high is None or v <= high)]
    return draw.choice(fits)


def distribution(draw, kinds):
    kind = draw.choice(sorted(kinds))
    parts = [f'kind = "{kind}"']
    usual = {"share": [0.0, 0.1, 0.5, 1.0], "slowdown": [1.0, 10.0, 1e4], "cv": [0.0, 0.1, 1.0], "alpha": [1.1, 2.0, 5.0],
             "cap": [10.0, 100.0], "low": [0.1, 0.5], "high": [0.6, 1.5, 100.0], "exponent": [0.0, 1.0, 2.0]}
    for name in kinds[kind] or []:
        parts.append(f"{name} = {draw.choice(usual.get(name, [0.1, 1.0, 5.0, 1e3, 1e-3]))}")
    return "{ " + ", ".join(parts) + " }"


def layers(draw, classes):
    body = []
    for name in ("a", "b"):
        kind = draw.choice(["conv", "relu", "conv", "norm"])
        if kind == "conv":
            padding = draw.choice([0, 1])
            body.append(f'{{ kind = "conv", name = "{name}", out = {draw.choice([1, 3, 4])}, kernel = {draw.choice([1, 3])}, '
                        f'padding = {padding}, stride = {draw.choice([1, 1, 2])} }}')
        elif kind == "relu":
            body.append(f'{{ kind = "relu", name = "{name}" }}')
        else:
            body.append(f'{{ kind = "{draw.choice(["batch_norm", "group_norm"])}", name = "{name}" }}')
    return "[" + ", ".join(body + ['{ kind = "linear", name = "z" }']) + "]"


def draw_config(draw, keys, sets, folder):
    """Values by key, as TOML, and what they promise."""
    data = draw.choice(sets)
    n = data["n"]
    clients = draw.choice([1, 2, 3, 5, 8, min(n, 20), n, max(1, n - 1)])
    clients = min(clients, n)
    epochs = draw.choice([1, 1, 2])
    batch = draw.choice([n, max(1, n // 2), max(1, n // 2 + 1), max(1, n // 3), draw.randint(max(1, n // 4), n)])
    if draw.random() < 0.03:
        batch = draw.choice([1, n + 1])
    values = {"data.name": '"npy"', "data.dir": json.dumps(data["dir"]), "partition.clients": str(clients),
              "sampler.batch": str(batch), "train.epochs": str(epochs)}
    chosen = {}
    for key in keys:
        path, kind = key["key"], key["type"]
        rare = draw.random()
        if path in values or path in ("data.name", "data.split", "data.read_as"):  # npy has no splits
            continue
        important = path in ("partition.kind", "sampler.kind", "train.mode", "model.name", "model.cut", "model.client_norm",
                             "model.server_norm", "clock.barrier", "clock.delay_ms", "eval.replicas", "train.loss", "cut.up", "cut.down",
                             "train.weights") or path.endswith(".kind")
        if rare > (0.7 if important else 0.15) and path != "model.width":
            continue
        if kind == "flag":
            value = draw.choice(["true", "false"])
        elif kind == "choice":
            value = json.dumps(draw.choice([name for name in key["choices"]
                                            if name not in ("callable", "by_column")]))  # Python's; the sets name nobody
        elif kind == "integer":
            low, high = key["low"], key["high"]
            value = str(min(high, max(low, draw.choice([low, low + 1, 2, 3, 5, 10, n // 2, n, low, 2**31 - 1 if rare < 0.01 else 1]))))
        elif kind == "real":
            value = repr(number(draw, key["low"], key["high"], key["above"]))
        elif kind == "integers":
            value = str(sorted(draw.sample(range(max(1, key["low"]), 9), draw.randint(0, 3))))
        elif kind == "distribution":
            value = distribution(draw, key["kinds"])
        else:
            continue  # paths, cuts and layers come below
        values[path] = value
        if kind == "choice":
            chosen[path] = json.loads(value)
    model = chosen.get("model.name", "mlp")
    if model.endswith("_imagenet") and draw.random() < 0.8:
        model = "resnet18"
    if model == "layers":
        values["model.layers"] = layers(draw, data["classes"])
    values["model.name"] = json.dumps(model)
    values["model.cut"] = json.dumps(draw.choice(CUTS.get(model, RESNET_CUTS)))
    if model in ("cnn", "har_cnn", "text_cnn", "vit") or model.startswith("resnet") or model.startswith("vgg"):
        values["model.width"] = str(draw.choice([1, 2, 4, 8]))
    else:
        values.pop("model.width", None)
    if values.get("model.init") == '"file"':
        values.pop("model.init")
    for side in ("client", "server"):
        if values.get(f"train.{side}_optimizer.schedule") == '"multistep"':
            values[f"train.{side}_optimizer.milestones"] = "[1, 3]"
    # Files that kinds ask for.
    owner = None
    if values.get("partition.kind") == '"file"':
        owner = [draw.randrange(clients) if draw.random() < 0.5 else i % clients for i in range(n)]
        npy(f"{folder}/owners.npy", "<i4", [n], b"".join(struct.pack("<i", k) for k in owner))
        values["partition.file"] = json.dumps(f"{folder}/owners.npy")
    if values.get("sampler.kind") == '"file"':
        if owner is None:
            owner = [i % clients for i in range(n)]
            npy(f"{folder}/owners.npy", "<i4", [n], b"".join(struct.pack("<i", k) for k in owner))
            values.update({"partition.kind": '"file"', "partition.file": json.dumps(f"{folder}/owners.npy")})
        order = list(range(n))
        draw.shuffle(order)
        rows = sorted((place // batch, owner[i], i) for place, i in enumerate(order))
        npy(f"{folder}/schedule.npy", "<i4", [n, 3], b"".join(struct.pack("<3i", *row) for row in rows))
        values["sampler.file"] = json.dumps(f"{folder}/schedule.npy")
    if any('"trace"' in value for value in values.values()):
        with open(f"{folder}/trace.csv", "w") as file:
            file.write("client,compute_ms_per_sample,up_mbps,down_mbps,delay_ms\n")
            for k in range(clients + draw.choice([0, 0, 3])):
                file.write(f"{k},{draw.random()},{1 + draw.random()},{5 * (1 + draw.random())},{draw.choice([0, 1, 500])}\n")
        values["clock.trace_file"] = json.dumps(f"{folder}/trace.csv")
    return values, data


def mend(draw, values, message, known):
    """Does what a refusal says. False: nothing more can be done about it."""
    if "model: layer" in message or "model:" in message and "does not fit" in message:
        if "groups" in message and values.get("model.width", "8") != "8":
            values["model.width"] = "8"
        else:
            values.pop("model.width", None)
            values.pop("model.layers", None)
            values.update({"model.name": '"mlp"', "model.cut": '"fc1"'})
        return True
    unread = re.search(r"([a-z_]+(?:\.[a-z_0-9]+)+) = .* do(?:es)? not read it", message)
    if unread and unread.group(1) in values:
        values.pop(unread.group(1))
        return True
    found = re.search(r"(?:^|[ :])([a-z_]+(?:\.[a-z_0-9]+)+) ?= ?(.*?allowed(?: is| are)?(?: for [a-z0-9_]+)?:? ?(.*))$", message)
    key = None
    if found is not None:
        key = next((name for name in known if found.group(1) == name or found.group(1).startswith(name + ".")), None)
    if key is None:
        named = [name for name in values if name in message]
        if not named or "data." in max(named, key=len):
            return False
        values.pop(max(named, key=len))
        return True
    allowed = found.group(3)
    if key in ("data.name", "data.dir"):
        return False
    span = re.search(r"(?:an integer in \[(-?\d+), (-?\d+)\]|(-?\d+) to (-?\d+))", allowed)
    if span and re.fullmatch(r"-?\d+", values.get(key, "0")):
        low, high = (int(x) for x in span.groups() if x is not None)
        values[key] = str(draw.choice([low, high, draw.randint(low, min(high, low + 100))]))
        return low <= high
    if key == "model.cut":
        names = re.findall(r"[a-z][a-z0-9_.]*", allowed.split(", which")[0].split("(")[0])
        if names:
            values[key] = json.dumps(draw.choice(names))
            return True
    if key not in values:
        return False
    values.pop(key)
    return True


def run(command, env):
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Finding(f"no end after {TIMEOUT_S} s")
    out, err = done.stdout.decode("utf8", "replace"), done.stderr.decode("utf8", "replace")
    if SANITIZER.search(err):
        raise Finding("a sanitizer's report: " + err[:3000])
    if done.returncode not in (0, 2, 4):
        raise Finding(f"exit code {done.returncode}: {err[:2000]}")
    lines = [line for line in err.splitlines() if not EXPECTED.match(line)]
    if done.returncode == 0 and lines:
        raise Finding(f"exit code 0 with text on stderr: {err[:2000]}")
    if done.returncode != 0 and (len(lines) != 1 or not lines[0].startswith("splitsim-run: ")):
        raise Finding(f"exit code {done.returncode} without exactly one line: {err[:2000]}")
    return done.returncode, out, err


def contents(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if name != "run.lock":
                found[os.path.relpath(path, folder)] = open(path, "rb").read()
    return found


def numbers_in(value, path=""):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numbers_in(part, f"{path}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from numbers_in(part, path)
    elif isinstance(value, float):
        yield path, value


def check_records(folder, values, data, code):
    summary = json.load(open(f"{folder}/summary.json"))
    status = summary["status"]
    if (code == 4) != (status == "diverged"):
        raise Finding(f"exit code {code} with status {status}")
    may_be_nan = code == 4 or values.get("train.on_nonfinite") == '"continue"'
    learned = re.compile(r"loss|accuracy|drift|f1|recall|norm")
    for path, value in numbers_in(summary):
        if not math.isfinite(value) and not (may_be_nan and learned.search(path)):
            raise Finding(f"summary.json: {path} = {value}")
    rows = list(csv.DictReader(open(f"{folder}/steps.csv")))
    for row in rows:
        for name, cell in row.items():
            if cell in ("nan", "inf", "-inf", "-nan") and not (may_be_nan and learned.search(name)):
                raise Finding(f"steps.csv: {name} = {cell} in step {row['step']}")
    if code == 0:
        passes = int(values.get("sampler.local_epochs", "1")) if values.get("sampler.kind") == '"relay"' else 1
        per_epoch = {}
        for row in rows:
            per_epoch[row["epoch"]] = per_epoch.get(row["epoch"], 0) + int(row["samples"]) + int(
                row["missed_samples"])
        reached = "eval.stop_at_accuracy" in values
        held_out = "data.validation" in values
        for epoch, samples in per_epoch.items():
            if samples != passes * data["n"] and not reached and not held_out:
                raise Finding(f"epoch {epoch} used or missed {samples} samples, there are {data['n']}, {passes} time(s) each")
        if len(per_epoch) != int(values["train.epochs"]) and not reached:
            raise Finding(f"{len(per_epoch)} epochs in steps.csv, train.epochs = {values['train.epochs']}")


def one(number, args, keys, sets):
    draw = random.Random(args.seed * 1000003 + number)
    folder = os.path.join(args.work, f"case{number}")
    os.makedirs(folder, exist_ok=True)
    env = dict(os.environ, OMP_NUM_THREADS="1", UBSAN_OPTIONS="print_stacktrace=1", ASAN_OPTIONS="detect_leaks=0")
    values, data = draw_config(draw, keys, sets, folder)
    command = []
    try:
        for attempt in range(20):
            out = f"{folder}/run{attempt}"
            command = [os.path.join(args.bin, "splitsim-run"), "--device", "cpu", "--out", out]
            for key, value in values.items():
                command += ["--set", f"{key}={value}"]
            code, _, err = run(command, env)
            if code != 2:
                check_records(out, values, data, code)
                break
            if os.path.exists(out):
                raise Finding(f"refused, but {os.listdir(out)} is left behind: {err}")
            if not mend(draw, values, err.strip().splitlines()[-1], [key["key"] for key in keys]):
                break
        if code == 0 and number % 4 == 0:
            before = contents(out)
            again, _, _ = run([command[0], "--device", "cpu", "--resume", out], env)
            if again != 0 or contents(out) != before:
                raise Finding("--resume of a finished run changed something")
        if code != 2 and number % 4 == 1 and os.path.exists(os.path.join(args.bin, "splitsim-sweep")):
            check_sweep(args.bin, number, values, out, folder, env, 4 * TIMEOUT_S)
        shutil.rmtree(folder)
        return {"code": code, "mended": attempt, "refusal": err.strip() if code == 2 else ""}
    except Finding as finding:
        return {"finding": str(finding), "command": " ".join(map(lambda x: "'" + x.replace("'", "'\\''") + "'", command))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", default=None)
    parser.add_argument("--slow", action="store_true")
    args = parser.parse_args()
    if args.slow:
        global TIMEOUT_S
        TIMEOUT_S *= 10
    made = args.work is None
    args.work = args.work or tempfile.mkdtemp(prefix="splitsim-whole-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    keys = json.loads(subprocess.run([os.path.join(args.bin, "config_keys_json")], check=True, stdout=subprocess.PIPE).stdout)
    sets = make_data(args.work)
    todo = [args.only] if args.only is not None else range(args.first, args.first + args.count)
    codes, findings, refusals, untouched = {0: 0, 2: 0, 4: 0}, 0, {}, 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for number, result in zip(todo, pool.map(lambda i: one(i, args, keys, sets), todo)):
            if "finding" in result:
                findings += 1
                print(f"FINDING --seed {args.seed} --only {number}: {result['finding']}\n  {result['command']}", flush=True)
                continue
            codes[result["code"]] += 1
            untouched += result["mended"] == 0 and result["code"] != 2
            if result["refusal"]:
                kind = re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?|\"[^\"]*\"", "#", result["refusal"])
                refusals[kind] = refusals.get(kind, 0) + 1
    if made and findings == 0:
        shutil.rmtree(args.work)
    count = len(todo)
    for kind, times in sorted(refusals.items(), key=lambda item: -item[1])[:12]:
        print(f"  refused {times} times: {kind}")
    accepted = codes[0] + codes[4]
    print(f"{count} configurations: {accepted} accepted ({untouched} as drawn), of these {codes[4]} diverged; {codes[2]} refused; "
          f"{findings} findings")
    return 1 if findings or (count >= 50 and accepted < 0.6 * count) else 0


if __name__ == "__main__":
    sys.exit(main())
