"""What splitsim-report says about itself beside --help, in the form that the executables have (drivers/command_line.hpp):
its version, its page for man(1), and shell completion, all from the options that it declares."""

import argparse
import datetime
import importlib.metadata
import os
import re

OTHERS = ("splitsim-run", "splitsim-sample", "splitsim-retime", "splitsim-sweep", "splitsim-info", "splitsim-bench")
SHELLS = ("bash", "zsh", "fish")


def version():
    """That of the launcher's build, else of the installed package."""
    try:
        return os.environ.get("SPLITSIM_VERSION") or importlib.metadata.version("splitsim")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _answer(text_of):
    """An option that prints a text and ends the program, wherever it stands."""

    class Answer(argparse.Action):
        def __call__(self, parser, namespace, values, option_string=None):
            print(text_of(parser, values), end="")
            parser.exit()

    return Answer


def add_to(parser):
    """Adds --version, --completion and --man."""
    about = _answer(lambda own, _: f"{own.prog} {version()}\n")
    parser.add_argument("--version", nargs=0, action=about, help="print the version and stop")
    parser.add_argument(
        "--completion",
        choices=SHELLS,
        metavar="|".join(SHELLS),
        action=_answer(completion),
        help="print a completion script for this shell and stop",
    )
    parser.add_argument(
        "--man", nargs=0, action=_answer(lambda own, _: man_page(own)), help="print the page for man(1)"
    )


def _options(parser):
    return [action for action in parser._actions if action.option_strings]


def _help(action):
    return (action.help or "").replace("%%", "%")


def _value(action):
    """What follows the option; empty for a flag."""
    return "" if action.nargs == 0 else action.metavar or action.dest.upper()


def _roff(text):
    """Text without escapes and requests."""
    return re.sub(r"(?m)^([.'])", r"\\&\1", text.replace("\\", "\\e").replace("-", "\\-"))


def man_page(parser):
    """Section 1. SOURCE_DATE_EPOCH decides its date, for builds that can be repeated."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    date = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC) if seconds else now
    summary = " ".join(parser.description.split())
    program = _roff(parser.prog)
    positional = next(action for action in parser._actions if not action.option_strings)
    lines = [
        f'.TH {_roff(parser.prog.upper())} 1 "{date:%Y-%m-%d}" "splitsim {_roff(version())}" "User Commands"',
        ".SH NAME",
        f"{program} \\- {_roff(re.split('[.:]', summary)[0])}",
        ".SH SYNOPSIS",
        f"\\fB{program}\\fR [\\fIOPTIONS\\fR] \\fI{_roff(positional.metavar)}\\fR...",
        ".SH DESCRIPTION",
        _roff(summary),
        ".SH OPTIONS",
        ".TP",
        f"\\fI{_roff(positional.metavar)}\\fR",
        _roff(_help(positional)),
    ]
    for action in _options(parser):
        names = ", ".join(map(_roff, action.option_strings))
        value = f" \\fI{_roff(_value(action))}\\fR" if _value(action) else ""
        lines += [".TP", f"\\fB{names}\\fR{value}", _roff(_help(action))]
    lines += [".SH NOTES", ".nf"]
    lines += [_roff(line) or "\\&" for line in parser.epilog.splitlines()]
    lines += [".fi", ".SH SEE ALSO", ",\n".join(f".BR {_roff(other)} (1)" for other in OTHERS)]
    return "\n".join(lines) + "\n"


def completion(parser, shell):
    """A script that completes options, choices, folders and files."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](parser)


def _bash(parser):
    names = " ".join(name for action in _options(parser) for name in action.option_strings)
    cases = ""
    for action in _options(parser):
        patterns = "|".join(action.option_strings)
        if action.choices:
            cases += f'    {patterns}) COMPREPLY=($(compgen -W "{" ".join(action.choices)}" -- "$cur")) ;;\n'
        elif _value(action) == "DIR":
            cases += f'    {patterns}) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;\n'
        elif _value(action) not in ("", "FILE"):
            cases += f"    {patterns}) ;;\n"
    return f"""# bash completion for {parser.prog}
_splitsim_report() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}}
  COMPREPLY=()
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "{names}" -- "$cur"))
    return
  fi
  case ${{COMP_WORDS[COMP_CWORD-1]}} in
{cases}    *) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null ;;
  esac
}}
complete -F _splitsim_report {parser.prog}
"""


def _zsh(parser):
    def quoted(text):
        return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")

    lines = ""
    for action in _options(parser):
        what = {"": "", "DIR": ":folder:_files -/", "FILE": ":file:_files"}.get(
            _value(action), f":{quoted(_value(action))}:"
        )
        if action.choices:
            what = f":{quoted(_value(action))}:({' '.join(action.choices)})"
        for name in action.option_strings:
            lines += f"    '{name}[{quoted(_help(action))}]{what}' \\\n"
    return f"""#compdef {parser.prog}
_splitsim_report() {{
  _arguments \\
{lines}    '*:folder:_files -/'
}}
_splitsim_report "$@"
"""


def _fish(parser):
    def quoted(text):
        return text.replace("\\", "\\\\").replace("'", "\\'")

    text = f"# fish completion for {parser.prog}\n"
    for action in _options(parser):
        names = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in action.option_strings)
        more = f" -x -a '{' '.join(action.choices)}'" if action.choices else " -r" if _value(action) else ""
        text += f"complete -c {parser.prog} {names} -d '{quoted(_help(action))}'{more}\n"
    return text
