import base64
import hashlib
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit.evaluation.card import Card
from fit.evaluation.html.page import page
from fit.evaluation.media import contact_sheet, error_maps, film

VOID = {"meta", "img"}


class Elements(HTMLParser):
    """Collects what a page is made of, and checks that its elements nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def shown(judged: Card, tmp_path: Path) -> Card:
    """The card with pictures and films of grey clips, each row a little brighter."""
    rows, columns, maps = [], {}, {}
    for number, row in enumerate(judged.rows):
        clip = torch.linspace(-0.5, 0, 4).view(4, 1, 1, 1).expand(4, 3, 130, 160) + 0.1 * number
        columns[row.name] = clip
        film([clip, clip + 0.1], tmp_path / f"{number}.mp4")
        maps[tmp_path / f"{number}.png"] = torch.rand(2, 130, 160, generator=torch.Generator().manual_seed(number))
        rows.append(replace(row, video=f"{number}.mp4", errors=f"{number}.png"))
    contact_sheet(columns, tmp_path / "sheet.png")
    error_maps(maps)
    return replace(judged, rows=rows, sheet="sheet.png")


def test_the_page_needs_nothing_else(shown: Card, tmp_path: Path) -> None:
    html = page(shown, tmp_path)
    elements = Elements(html)
    addresses = [
        value for _, found in elements.attributes for name, value in found.items() if name in ("src", "href", "srcset")
    ]
    assert len(addresses) == 5 + 5 + 1
    assert all((address or "").startswith("data:") for address in addresses)
    assert not re.search(r"https?:|url\(|@import|fetch\(", re.sub(r"base64,[^\"]*", "", html))
    assert not any(name == "style" or name.startswith("on") for _, found in elements.attributes for name in found)


def test_only_its_own_script_and_style_may_run(judged: Card, tmp_path: Path) -> None:
    html = page(judged, tmp_path)
    (policy,) = [found["content"] for tag, found in Elements(html).attributes if "http-equiv" in found]
    assert (policy or "").startswith("default-src 'none'; img-src data:; media-src data:; ")
    for element in ("style", "script"):
        (text,) = re.findall(f"<{element}>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in (policy or "")


def test_text_is_escaped_everywhere(judged: Card, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>\"'"
    rows = [replace(row, name=f"{evil}{row.name}", flags=[evil], facts={evil: evil}) for row in judged.rows]
    columns = [replace(column, name=evil, about=evil) for column in judged.columns]
    card = replace(
        judged, title=evil, data={evil: evil}, rows=rows, columns=columns, notes=[evil], front=[rows[2].name], clips=[evil] * 3
    )
    assert [tag for tag, _ in Elements(page(card, tmp_path)).attributes if tag in ("img", "script")] == ["script"]


def test_every_section_is_there_and_empty_ones_are_not(shown: Card, tmp_path: Path) -> None:
    full = re.findall("<h2>(.*?)</h2>", page(shown, tmp_path))
    assert full == [
        "Results",
        "Films",
        "Comparison",
        "Where it flickers",
        "Contact sheet",
        "Files and cost",
        "What the columns mean",
        "Notes",
    ]
    least = page(Card("T", {}, shown.columns, [replace(shown.rows[0], video=None, errors=None, over_time=[])], []), tmp_path)
    assert re.findall("<h2>(.*?)</h2>", least) == ["Results", "What the columns mean"]
    assert "<aside" not in least


def test_flags_are_warnings(judged: Card, tmp_path: Path) -> None:
    (aside,) = re.findall("<aside.*?</aside>", page(judged, tmp_path))
    assert "<b>blur</b> looks blurred" in aside


def browse(browser: str, folder: Path, *options: str) -> str:
    """Open the page in a browser that reaches no network, and return what it prints."""
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    ]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--window-size=1280,5000", *options]
    done = subprocess.run([*command, (folder / "card.html").as_uri()], capture_output=True, text=True, timeout=200, check=True)
    return done.stdout


@pytest.mark.browser
def test_a_browser_shows_table_plots_and_films_without_a_network(shown: Card, tmp_path: Path, browser: str) -> None:
    (tmp_path / "card.html").write_text(page(shown, tmp_path), encoding="utf-8")
    document = browse(browser, tmp_path, "--dump-dom")
    assert document.count('data-state="ready"') == 5  # each film has a picture: the page's script looks
    assert "5 films in step" in document
    assert len(re.findall('<svg[^>]*class="plot"', document)) == 3
    assert "<td><b>0.241</b>" in document


@pytest.mark.browser
def test_a_screenshot_has_the_films_colours_and_the_plots_lines(shown: Card, tmp_path: Path, browser: str) -> None:
    (tmp_path / "card.html").write_text(page(shown, tmp_path), encoding="utf-8")
    browse(browser, tmp_path, f"--screenshot={tmp_path / 'shot.png'}", "--blink-settings=preferredColorScheme=1")
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB")).astype(int)
    blue = (abs(shot - [0x00, 0x72, 0xB2]).max(2) < 12).sum()  # colour c0: the first network's marks and lines
    assert blue > 500
    # A film's row of pixels is one grey for a third of the page; the page itself is white, its table's lines thin.
    grey = (abs(shot - shot.mean(2, keepdims=True)).max(2) < 3) & (shot[..., 0] > 40) & (shot[..., 0] < 200)
    assert (grey.sum(1) > 300).sum() > 400  # five films in two lines, and the contact sheet
    assert (shot[:200] < 100).all(2).sum() > 500  # the title
