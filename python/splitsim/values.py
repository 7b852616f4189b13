"""What schedules, timelines and populations are in Python: arrays with names."""
import dataclasses
import typing

import numpy as np

from splitsim.errors import InputError


class Progress(typing.NamedTuple):
    """Where a run is. epoch counts from 0; step: finished steps of the epoch; loss, accuracy: of the epoch so far."""
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    samples: int        # trained since this process began
    samples_total: int  # to be trained from then to the end


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Who holds which samples, and how fast everybody is. N samples, K clients, C classes.

    Times are integer nanoseconds, those of clients [K] int64, drawn once per run: the profile that samplers see.
    """
    clients: int             # K
    classes: int             # C
    owner: np.ndarray        # (N,) int32, sample -> client
    labels: np.ndarray       # (N,) int32, sample -> class
    class_counts: np.ndarray  # (K, C) int32
    sha256: str              # partition_sha256 of summary.json
    delay_ns: np.ndarray     # per participation in a step
    forward_ns: np.ndarray   # per sample
    backward_ns: np.ndarray  # per sample
    up_ns: np.ndarray        # per sample: activations and labels over the uplink
    down_ns: np.ndarray      # per sample: gradients over the downlink
    model_up_ns: np.ndarray  # the client model over the uplink
    model_down_ns: np.ndarray
    server_fixed_ns: int     # per step
    server_per_sample_ns: int
    batch: int               # sampler.batch, B
    seed: int                # of samplers: np.random.default_rng([population.seed, epoch])

    @property
    def samples(self):
        """N."""
        return len(self.owner)

    @property
    def sizes(self):
        """(K,) int64, samples of each client."""
        return np.bincount(self.owner, minlength=self.clients)


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """One epoch: which samples of which clients make up each step, as it is trained. T steps.

    Iterating gives the samples of step 0, 1, ... (int32 arrays), so that it is a `batch_sampler` of PyTorch's
    DataLoader; len() is T and schedule[t] one step.
    """
    epoch: int             # from 0
    step: np.ndarray       # (slots,) int32, ascending
    client: np.ndarray     # (slots,) int32, ascending within a step
    sample: np.ndarray     # (slots,) int32
    step_first: np.ndarray  # (T+1,) int32, step t is slots step_first[t] to step_first[t+1]
    deviation: np.ndarray  # (T,) float64, L1 distance of the batch's class shares from the pool's, 0..2
    drift: np.ndarray      # (T,) float64, the same from the batch before; 0 at the first
    missed: np.ndarray     # (T,) int32, samples planned for the step that the epoch never trains (absent, late clients)
    deferred: np.ndarray   # (T,) int32, those that a later step trains
    absent: np.ndarray     # (T,) int32, clients that were planned and not there
    sha256: str            # schedule_sha256 of this epoch in epochs.jsonl

    def __len__(self):
        return len(self.step_first) - 1

    def __iter__(self):
        return (self[t] for t in range(len(self)))

    def __getitem__(self, t):
        t = range(len(self))[t]
        return self.sample[self.step_first[t]:self.step_first[t + 1]]

    def clients_of(self, t):
        """Whose they are: aligned with schedule[t]."""
        t = range(len(self))[t]
        return self.client[self.step_first[t]:self.step_first[t + 1]]

    @property
    def triples(self):
        """(slots, 3) int32: rows of step, client, sample, as in a schedule file."""
        return np.stack([self.step, self.client, self.sample], axis=1)

    @property
    def active_clients(self):
        """(T,) int64, clients that give at least one sample to a step."""
        begins = np.ones(len(self.step), dtype=bool)
        begins[1:] = (np.diff(self.step) != 0) | (np.diff(self.client) != 0)
        return np.bincount(self.step[begins], minlength=len(self))

    def save(self, path):
        """Writes the triples as .npy, for sampler.kind = "file". Steps without samples cannot be written."""
        if np.any(np.diff(self.step_first) == 0):
            empty = int(np.flatnonzero(np.diff(self.step_first) == 0)[0])
            raise InputError(f"{path}: step {empty} of the schedule is empty; allowed are steps of at least 1 slot")
        with open(path, "wb") as file:
            np.save(file, self.triples)

    def __repr__(self):
        return f"<splitsim.Schedule of epoch {self.epoch}: {len(self)} steps, {len(self.sample)} samples>"


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
    """One epoch of virtual time: T steps, and E active entries (a client in a step). Integer nanoseconds, int64.

    Steps follow each other without a gap, except where clients run ahead of each other. -1 stands for no client.
    """
    epoch: int                  # from 0
    start_ns: np.ndarray        # (T,)
    end_ns: np.ndarray          # (T,)
    critical_forward: np.ndarray  # (T,) int32, the client that the server waited for
    critical_backward: np.ndarray  # (T,) int32, the client that ended the step
    step: np.ndarray            # (E,) int32, of each active entry
    client: np.ndarray          # (E,) int32
    waiting_ns: np.ndarray      # (E,) the part of active_ns in which neither it nor the server on its behalf worked
    active_ns: np.ndarray       # (E,) from the step's start to its end
    sha256: str                 # timeline_sha256 of this epoch in epochs.jsonl

    def __len__(self):
        return len(self.start_ns)

    @property
    def duration_ns(self):
        """(T,) end less start."""
        return self.end_ns - self.start_ns

    def waiting_share(self, clients):
        """(clients,) float64: waiting over active time of each client in this epoch; NaN for who took no part."""
        waiting = np.bincount(self.client, self.waiting_ns, minlength=clients)
        active = np.bincount(self.client, self.active_ns, minlength=clients)
        return np.divide(waiting, active, out=np.full(len(active), np.nan), where=active > 0)

    def __repr__(self):
        end = f", {self.end_ns[-1] * 1e-9:.6g} s" if len(self) else ""
        return f"<splitsim.Timeline of epoch {self.epoch}: {len(self)} steps{end}>"


def triples(batches, owner):
    """Rows (step, client, sample) of an epoch whose step t trains the samples batches[t].

    batches: sequence of sequences of sample ids; owner: (N,) sample -> client. Within a step samples are put in the order
    of their clients, those of one client stay in the order given. Gives (slots, 3) int32, what a sampler returns.
    """
    owner = np.asarray(owner)
    arrays = [np.atleast_1d(np.asarray(batch)) for batch in batches]
    for t, batch in enumerate(arrays):
        if batch.ndim != 1 or len(batch) == 0 or batch.dtype.kind not in "iu":
            raise InputError(f"triples: batches[{t}] = {batch!r}: allowed: integers, at least one")
        if batch.min() < 0 or batch.max() >= len(owner):
            raise InputError(f"triples: batches[{t}]: sample {batch[(batch < 0) | (batch >= len(owner))][0]}: "
                             f"allowed are 0 to {len(owner) - 1}")
    if not arrays:
        raise InputError("triples: batches = []: allowed: at least one step")
    step = np.repeat(np.arange(len(arrays)), [len(batch) for batch in arrays])
    sample = np.concatenate(arrays)
    client = owner[sample]
    order = np.lexsort((client, step))  # stable
    return np.stack([step[order], client[order], sample[order]], axis=1).astype(np.int32)
