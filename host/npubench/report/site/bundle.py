"""The chart library as one script, from the installed vl-convert; kept by its version.

Bundling takes some ten seconds, once for a version.
"""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

from npubench.core.errors import StorageError
from npubench.core.paths import cache_root
from npubench.report.figure import VL_VERSION

SNIPPET = "window.npubenchCharts = {vegaEmbed};"


def chart_library() -> str:
    """The script that defines ``npubenchCharts``: Vega-Embed with Vega and Vega-Lite.

    Raises StorageError when the cache cannot be written.
    """
    mark = hashlib.sha256(SNIPPET.encode()).hexdigest()[:8]
    name = f"vega-{VL_VERSION}-vl-convert-{version('vl-convert-python')}-{mark}.js"
    path = cache_root() / "report" / name
    if path.is_file():
        return path.read_text(encoding="utf-8")
    import vl_convert

    text = str(vl_convert.javascript_bundle(SNIPPET, vl_version=VL_VERSION))
    text = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    partial = path.with_suffix(f".partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: the chart library cannot be kept: {error.strerror}",
            hint="NPUBENCH_CACHE names another folder",
        ) from error
    return text


def asset(name: str) -> str:
    """A style or script of ours."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
