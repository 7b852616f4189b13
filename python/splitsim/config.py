"""Configurations: TOML files, dictionaries and keywords become one resolved experiment."""
import collections.abc
import json
import numbers
import os
import pathlib
import re

import numpy as np

from splitsim.errors import InputError
from splitsim.extension import core

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def _key(name):
    if not isinstance(name, str) or not name:
        raise InputError(f"settings: key {name!r}: allowed: text such as 'sampler.batch'")
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _toml(key, value):
    """A Python value as one line of TOML. Errors: InputError naming the key."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    if isinstance(value, collections.abc.Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_toml(f'{key}.{name}', each)}" for name, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(key, each) for each in value) + "]"
    raise InputError(f"settings: {key} = {value!r}: allowed: a number, text, bool, list or dictionary")


def settings_of(mapping):
    """["key=value", ...] of a dictionary whose keys are dotted or whose values are dictionaries, in its order."""
    return [f"{_key(name)}={_toml(name, value)}" for name, value in mapping.items()]


class Config:
    """An experiment: every key with its value, of the embedded default unless it is said otherwise.

    source: None (the default experiment), the path of a TOML file or of a run directory, a dictionary, or a Config.
    settings: keys over it, as dictionaries by table (`sampler={"kind": "fls"}`), as values (`seed=3`), or dotted
    (`**{"sampler.kind": "fls"}`), in this order of precedence: the last one counts. Relative paths count from the
    folder of the file that they are in; those of dictionaries and settings from the working directory.

    Attributes: toml (text, fully resolved), commented (the same with a comment on every key), sha256 (of the experiment,
    as in summary.json), file (path of the TOML file, or "").
    Errors: InputError, one line, for everything that splitsim-run --set refuses: unknown keys, wrong types, values out
    of range, keys that nothing reads.
    """

    def __init__(self, source=None, /, **settings):
        self._text, self._name, self._settings, file = "", "default", [], ""
        if isinstance(source, Config):
            self._text, self._name, file = source._text, source._name, source.file
            self._settings = list(source._settings)
        elif isinstance(source, collections.abc.Mapping):
            self._settings = settings_of(source)
        elif isinstance(source, (str, os.PathLike)):
            path = pathlib.Path(source)
            if path.is_dir():
                path = path / "config.toml"
            try:
                self._text, self._name, file = path.read_text(encoding="utf-8"), str(path), str(path)
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
                raise InputError(f"cannot read '{path}': {reason}") from None
        elif source is not None:
            raise InputError(f"config = {source!r}: allowed: None, a path, a dictionary or a Config")
        self._settings += settings_of(settings)
        self._core = core().Config(self._text, self._name, self._settings, file)

    @property
    def toml(self):
        return self._core.toml

    @property
    def commented(self):
        return self._core.commented

    @property
    def sha256(self):
        return self._core.sha256

    @property
    def file(self):
        return self._core.file

    def to_dict(self):
        """Nested dictionaries by table, of every key that is read."""
        import tomllib
        return tomllib.loads(self.toml)

    def says(self, key):
        """Whether the source or the settings give a value to a dotted key, be it the default."""
        import tomllib
        given = [tomllib.loads(self._text)]
        given += [tomllib.loads(setting) for setting in self._settings]
        for table in given:
            for part in key.split("."):
                if not isinstance(table, dict) or part not in table:
                    break
                table = table[part]
            else:
                return True
        return False

    def __repr__(self):
        return f"<splitsim.Config {self._name}: {', '.join(self._settings) or 'as it is'}>"

    def __eq__(self, other):
        return isinstance(other, Config) and self.toml == other.toml

    __hash__ = None


def device_of(device, threads):
    """core().Device. Errors: InputError."""
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, numbers.Integral) or threads < 1):
        raise InputError(f"threads = {threads!r}: allowed: None, or an integer in [1, 4096]")
    if not isinstance(device, str):
        raise InputError(f'device = {device!r}: allowed: "auto", "cpu", "cuda"')
    return core().Device(device, 0 if threads is None else int(threads))
