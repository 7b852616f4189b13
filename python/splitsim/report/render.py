"""Vega-Lite by vl-convert-python, which brings the libraries along: the page's scripts, and SVG, PDF and PNG files."""

import json
import pathlib

from splitsim.errors import InputError
from splitsim.report.style import ONLY_PAGE

VEGA_LITE = "6.4"
FORMATS = ("svg", "pdf", "png")


def _library():
    try:
        import vl_convert
    except ImportError:
        raise InputError(
            "figures need the Python package vl-convert-python; in a checkout, scripts/python.sh installs it; "
            "--no-html does without"
        ) from None
    return vl_convert


def scripts():
    """Vega, Vega-Lite and vega-embed as one script; it may stand in a <script> element."""
    bundle = _library().javascript_bundle(vl_version=VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _without_tooltips(spec):
    if isinstance(spec, list):
        return [
            _without_tooltips(entry)
            for entry in spec
            if not (isinstance(entry, dict) and entry.get("name") == ONLY_PAGE)
        ]
    if isinstance(spec, dict):
        return {
            key: value if key == "data" else _without_tooltips(value) for key, value in spec.items() if key != "tooltip"
        }
    return spec


def to_file(figure, path):
    """By the ending of path."""
    library, ending = _library(), pathlib.Path(path).suffix[1:]
    spec = json.dumps(_without_tooltips(figure.spec), allow_nan=False)
    if ending == "svg":
        pathlib.Path(path).write_text(library.vegalite_to_svg(spec, vl_version=VEGA_LITE), encoding="utf-8")
    elif ending == "pdf":
        pathlib.Path(path).write_bytes(library.vegalite_to_pdf(spec, vl_version=VEGA_LITE))
    else:
        pathlib.Path(path).write_bytes(library.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=2))
