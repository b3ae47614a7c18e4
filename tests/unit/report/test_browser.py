"""The report in a real browser: it draws, sorts, filters, reads, and asks nobody for anything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npubench.power.parts import PartsWriter
from npubench.power.source.interface import Identity, LossReport, Traits, block_of
from npubench.report.html import write_single, write_site
from npubench.runs.samples import Sample, write_samples
from npubench.runs.store import StoredRun
from support.browser import Browser, Page, chromium

MakeStored = Callable[..., StoredRun]
RATE_HZ = 1e5
WIDTHS = (1280, 768, 400)
DRAWN = (
    "!document.querySelector('figure.chart') || document.documentElement.dataset.charts === 'drawn'"
)
AXE = "axe-core@4"


def energy(infer_uj: float, idle_uw: float = 40.0) -> dict[str, Any]:
    """An energy record as a simulated instrument gives it."""

    def stage(value: float, us: float) -> dict[str, Any]:
        return {
            "gross_uj": value, "gross_low_uj": 0.98 * value, "gross_high_uj": 1.02 * value,
            "net_uj": 0.9 * value, "net_low_uj": 0.88 * value, "net_high_uj": 0.92 * value,
            "repeats": 1, "windows": 2, "samples": 1000, "duration_us": us,
            "mean_uw": value / us * 1e6, "peak_uw": value / us * 2e6, "charge_uc": value / 3,
        }  # fmt: skip

    return {
        "evidence": "modelled",
        "idle_uw": idle_uw,
        "clock_ppm": 20.0,
        "voltage_mv": 3000.0,
        "voltage_source": "declared",
        "stages": {"infer": stage(infer_uj, 2e4), "end_to_end": stage(1.1 * infer_uj, 2.1e4)},
        "verdict": "ok",
        "instrument": {"name": "sim", "driver": "ppk2", "model": "PPK2 (sim)", "simulated": True},
    }


def capture(folder: Path, current_ua: np.ndarray) -> None:
    """A capture in a run's folder."""
    identity = Identity(driver="virtual", model="test", serial="")
    traits = Traits(rate_hz=RATE_HZ, marker_bits=0)
    with PartsWriter(folder / "power", identity=identity, traits=traits) as writer:
        for first in range(0, len(current_ua), 1 << 19):
            writer.add(block_of(first, current_ua[first : first + (1 << 19)]))
        writer.finish(LossReport())


def npu(make_stored: MakeStored, second: int, **more: Any) -> StoredRun:
    """A run with an NPU, modelled."""
    return make_stored(
        second=second, board="qemu-m55-u55", backend="ethos-u", unit="us_modelled",
        evidence="modelled", infer=2_100.5, low=1_700.0, high=2_900.0,
        npu={
            "accelerator": "ethos-u55-128", "config_sha256": "ab" * 32, "macs_share": 1.0,
            "mac_utilization_ratio": 0.2,
            "details": {
                "npu_hz": 32_000_000, "cycles": 64_000, "mac_active_cycles": 40_000,
                "peak_macs_per_cycle": 128, "effective_ops_per_s": 2_000_000_000,
                "peak_ops_per_s": 8_192_000_000,
            },
        },
        **more,
    )  # fmt: skip


@pytest.fixture
def current_ua() -> np.ndarray:
    """Two thousandths of a second at 1 mA in 40 µA, with a peak of one sample."""
    current = np.full(200_000, 40.0, np.float32)
    current[50_000:90_000] = 1000.0
    current[70_000] = 9000.0
    return current


@pytest.fixture
def runs(make_stored: MakeStored, current_ua: np.ndarray) -> list[StoredRun]:
    noisy = make_stored(
        second=6, board="board-a", unit="us", evidence="measured", infer=181_923.5, n=20,
        deterministic=False,
    )  # fmt: skip
    noisy.path.mkdir(parents=True)
    write_samples(
        noisy.path / "samples.parquet",
        [
            Sample(rep=n, stage="infer", unit="us", raw_count=None, value=181_900.0 + n % 7)
            for n in range(20)
        ],
    )
    captured = make_stored(second=7, board="qemu-m7", energy=energy(500.0))
    capture(captured.path, current_ua)
    return [
        make_stored(second=1),
        make_stored(second=2, infer=40_000_000),
        make_stored(second=3, board="qemu-m55", infer=30_558_306, energy=energy(300.0, 90.0)),
        npu(make_stored, 4),
        make_stored(
            second=5, board="qemu-m55-u55", unit="us_modelled", evidence="modelled",
            infer=400_000.0, low=300_000.0, high=500_000.0,
        ),
        noisy,
        captured,
        make_stored(second=8, board="qemu-m33", status="failed"),
        make_stored(second=9, model="vww", infer=100_251_137, macs=7_489_664),
    ]  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, runs: list[StoredRun]) -> Path:
    write_site(runs, tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as found:
        yield found


def opened(browser: Browser, path: Path, *, width: int = 1280, anchor: str = "") -> Page:
    page = browser.page()
    page.size(width)
    page.open(path.as_uri() + anchor)
    page.until(DRAWN)
    return page


def clean(page: Page) -> None:
    """Nothing was complained of, nothing was asked for but files of the report."""
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_site_works_in_a_browser(
    browser: Browser, site: Path, runs: list[StoredRun], current_ua: np.ndarray
) -> None:
    """Index, a network's page and a run's: tables, filters, figures, the trace."""
    index = opened(browser, site / "index.html")
    shown = "Array.from(document.querySelectorAll('table.runs tbody tr:not([hidden])'))"
    assert index.evaluate(f"{shown}.length") == 8  # the earlier one waits
    heads = "Array.from(document.querySelectorAll('table.runs th'))"
    head = f"{heads}.find(h => /Flash/.test(h.textContent))"
    index.evaluate(f"{head}.querySelector('button').click()")
    assert index.evaluate(f"{head}.getAttribute('aria-sort')") == "descending"
    index.evaluate(
        "(() => { const f = document.querySelector('form.filters'); f.elements.board.value = "
        "'qemu-m55'; f.elements.board.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert index.evaluate(f"{shown}.map(row => row.dataset.board)") == ["qemu-m55"]
    assert index.evaluate("location.hash") == "#runs?board=qemu-m55"
    linked = opened(browser, site / "index.html", anchor="#runs?model=vww")
    assert linked.evaluate(f"{shown}.map(row => row.dataset.model)") == ["vww"]
    (model,) = (site / "models").glob("kws-*.html")
    page = opened(browser, model)
    count = page.evaluate("document.querySelectorAll('figure.chart').length")
    assert count > 8
    assert page.evaluate("document.querySelectorAll('figure.drawn .plot svg').length") == count
    assert page.evaluate(
        "Array.from(document.querySelectorAll('figure.drawn .plot svg'))"
        ".every(svg => svg.querySelectorAll('[role=graphics-symbol]').length > 0)"
    )
    page.evaluate("document.querySelector('figure.drawn .plot').focus()")
    page.key("ArrowRight")
    assert page.evaluate("document.querySelector('figure.drawn .spoken').textContent.length") > 10
    saved = page.evaluate(
        "(async () => { const [figure, {data}] = npubenchFigures.figures.entries().next().value;"
        "return [npubenchFigures.csv(data.columns), await npubenchFigures.exported(figure, data, "
        "'svg')]; })()"
    )
    assert saved[0].count("\n") > 2
    assert saved[1].startswith("<svg")
    assert "var(--" not in saved[1]
    run = opened(browser, site / "runs" / f"{runs[6].record.run_id}.html")
    run.evaluate(
        "document.querySelector('figure.trace')"
        ".scrollIntoView({behavior: 'instant', block: 'center'})"
    )
    run.until("document.querySelector('figure.trace').dataset.drawn")
    x, y, width = run.evaluate(
        "(() => { const r = document.querySelector('figure.trace canvas').getBoundingClientRect();"
        "return [r.x, r.y + r.height / 2, r.width]; })()"
    )
    run.mouse("mousePressed", x + 0.2 * width, y)
    run.mouse("mouseMoved", x + 0.4 * width, y, held=True)
    run.mouse("mouseMoved", x + 0.6 * width, y, held=True)
    run.mouse("mouseReleased", x + 0.6 * width, y)
    run.until("document.querySelector('figure.trace').dataset.reading")
    read = json.loads(run.evaluate("document.querySelector('figure.trace').dataset.reading"))
    first, stop = round(read["begin"] * RATE_HZ), round(read["end"] * RATE_HZ)
    part = current_ua[first:stop].astype(np.float64)
    assert 40_000 < stop - first < 100_000
    assert read["charge_uc"] == pytest.approx(part.sum() / RATE_HZ, rel=1e-6)
    assert read["energy_uj"] == pytest.approx(3.0 * part.sum() / RATE_HZ, rel=1e-6)
    assert read["mean_ua"] == pytest.approx(part.mean(), rel=1e-6)
    assert read["peak_ua"] == part.max() == 9000.0
    for each in (index, linked, page, run):
        clean(each)


def pages_of(site: Path) -> list[Path]:
    """One page of each kind."""
    found = [site / "index.html", site / "numbers.html"]
    for folder in ("models", "boards", "backends"):
        found.append(sorted((site / folder).glob("*.html"))[0])
    return [*found, *sorted((site / "runs").glob("*.html"))[3:8:2]]


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_at_every_width(
    browser: Browser, site: Path, checkout: Path, width: int, scheme: str
) -> None:
    """Nothing is wider than the window; pictures are kept to be looked at."""
    page = browser.page()
    page.size(width)
    page.media(scheme=scheme, motion="reduce")
    for path in pages_of(site):
        page.open(path.as_uri())
        page.until(DRAWN)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        wide = page.evaluate(
            "Array.from(document.querySelectorAll('td, .tiles dd, .headline'))"
            ".filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1)"
            ".length"
        )
        assert width > 400 or wide == 0, path.name
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        name = f"{path.parent.name}-{path.stem[:24]}-{width}-{scheme}.png"
        page.screenshot(checkout / "dist" / "screenshots" / name, full=True)
        clean(page)


@pytest.mark.long
def test_one_file_shows_a_page_at_a_time(
    browser: Browser, tmp_path: Path, runs: list[StoredRun], checkout: Path
) -> None:
    page = opened(browser, write_single(runs, tmp_path / "report.html"))
    shown = "Array.from(document.querySelectorAll('.page')).filter(p => !p.hidden).map(p => p.id)"
    assert page.evaluate(shown) == ["index"]
    target = page.evaluate("document.querySelector('.glance a').hash")
    page.evaluate("document.querySelector('.glance a').click()")
    page.until(f"location.hash === {target!r}")
    page.until(f"({shown})[0] === {target[1:]!r}")
    page.until("document.querySelectorAll('.page:not([hidden]) figure.drawn').length > 5")
    run = page.evaluate(
        "Array.from(document.querySelectorAll('.page-run figure.trace'))"
        ".map(f => f.closest('.page').id)[0]"
    )
    page.evaluate(f"location.hash = {run!r} + ':power'")
    page.until("document.querySelector('figure.trace').dataset.drawn")
    page.screenshot(checkout / "dist" / "screenshots" / "single-power.png")
    clean(page)


@pytest.mark.long
def test_a_network_is_one_printed_page(browser: Browser, site: Path, checkout: Path) -> None:
    (model,) = (site / "models").glob("kws-*.html")
    page = opened(browser, model)
    paper = page.pdf()
    (checkout / "dist" / "screenshots").mkdir(parents=True, exist_ok=True)
    (checkout / "dist" / "screenshots" / "model.pdf").write_bytes(paper)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 1
    clean(page)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_axe_finds_nothing_serious(browser: Browser, site: Path, tmp_path: Path) -> None:
    """Accessibility by axe-core, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine, which brings axe-core")
    done = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--prefix", str(tmp_path), AXE],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"{AXE} cannot be had here: {done.stderr.decode()[-200:]}")
    script = (tmp_path / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page = browser.page()
    page.size(1280)
    for scheme in ("light", "dark"):
        page.media(scheme=scheme)
        for path in pages_of(site):
            page.open(path.as_uri())
            page.until(DRAWN)
            page.evaluate(f"{script}; 0")
            found = page.evaluate(
                "axe.run().then(r => r.violations.filter(v => ['serious', 'critical']"
                ".includes(v.impact)).map(v => v.id + ': ' + v.nodes.slice(0, 3)"
                ".map(n => n.html.slice(0, 200)).join(' ; ')))"
            )
            assert found == [], (path.name, scheme)


@pytest.mark.long
def test_ten_million_samples_are_read_exactly(
    browser: Browser, tmp_path: Path, make_stored: MakeStored
) -> None:
    """The page holds half a million bins; a frame costs what the canvas is wide, at any zoom."""
    random = np.random.default_rng(1)
    current = random.uniform(30, 50, 10_000_000).astype(np.float32)
    current[3_000_000:3_400_000] += 2000
    current[7_654_321] = 12_000
    stored = make_stored(energy=energy(500.0))
    capture(stored.path, current)
    write_site([stored], tmp_path / "site")
    data = next((tmp_path / "site" / "data").iterdir())
    assert data.stat().st_size < 12_000_000
    page = opened(browser, tmp_path / "site" / "runs" / f"{stored.record.run_id}.html")
    page.evaluate("document.querySelector('figure.trace').scrollIntoView({behavior: 'instant'})")
    page.until("document.querySelector('figure.trace').dataset.drawn")
    view = "npubenchTraceViews[0]"
    assert page.evaluate(f"{view}.data.samples") == 10_000_000
    for begin, end in ((0.0, 100.0), (29.9, 34.1), (76.5, 76.6)):
        read = page.evaluate(f"{view}.reading({begin}, {end})")
        first, stop = round(read["begin"] * RATE_HZ), round(read["end"] * RATE_HZ)
        part = current[first:stop].astype(np.float64)
        assert read["charge_uc"] == pytest.approx(part.sum() / RATE_HZ, rel=1e-5)
        assert read["peak_ua"] == part.max()
    touched = page.evaluate(
        f"(() => {{ const v = {view}, d = v.data; const each = (d.seconds / d.bin_s) / v.wide;"
        "const depth = Math.min(d.levels.length - 1, Math.floor(Math.log2(Math.max(1, each))));"
        "return d.levels[depth].low.length; })()"
    )
    assert touched < 4 * 1280
    clean(page)
