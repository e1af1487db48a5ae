import base64
import hashlib
import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
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


class Browser:
    """A browser without a window or a network, on one page; asked over its debugging pipe."""

    def __init__(self, command: str, page: Path, profile: Path) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(120)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        options += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1280,1000"]
        # It reads from file 3 and writes to file 4.
        files = f"import os, sys; [os.dup2({theirs.fileno()}, file) for file in (3, 4)]; os.execv(sys.argv[1], sys.argv[1:])"
        whole = [sys.executable, "-c", files, command, *options]
        self.process = subprocess.Popen(whole, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs.close()
        self.count, self.rest, self.session = 0, b"", ""
        target = self.ask("Target.createTarget", url=page.as_uri())["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its answer."""
        self.count += 1
        session = {"sessionId": self.session} if self.session else {}
        self.ours.sendall(json.dumps({"id": self.count, "method": method, "params": parameters, **session}).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                received = self.ours.recv(1 << 20)
                assert received, "the browser is gone"
                self.rest += received
            message, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(message)
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives on the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until it is true: at most a minute, for machines may be busy."""
        for _ in range(600):
            if self.value(expression):
                return
            time.sleep(0.1)
        pytest.fail(f"never true on the page: {expression}")

    def screenshot(self) -> NDArray[np.int64]:
        """The whole page, ``(height, width, 3)``."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)

    def close(self) -> None:
        """End it."""
        self.ours.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def opened(shown: Card, tmp_path: Path, browser: str) -> Iterator[Browser]:
    (tmp_path / "card.html").write_text(page(shown, tmp_path), encoding="utf-8")
    running = Browser(browser, tmp_path / "card.html", tmp_path / "profile")
    yield running
    running.close()


@pytest.mark.browser
def test_a_browser_shows_table_plots_and_films_without_a_network(opened: Browser) -> None:
    opened.until("document.querySelectorAll('figure[data-state=ready]').length == 5")
    films = "[...document.querySelectorAll('video')]"
    assert opened.value(f"{films}.map(film => [film.videoWidth, film.videoHeight])") == [[160, 130]] * 5
    opened.until(f"{films}.every(film => !film.paused && film.currentTime > 0)")
    assert opened.value("document.querySelector('#films').textContent") == "5 films in step"
    assert opened.value("[...document.querySelectorAll('svg.plot')].every(plot => plot.getBoundingClientRect().height > 120)")
    assert opened.value("document.querySelectorAll('svg.plot').length") == 3
    assert opened.value("document.querySelector('.values tbody.network td b').textContent") == "0.241"
    assert opened.value("[...document.images].filter(image => image.naturalWidth > 0).length") == 6
    assert opened.value("performance.getEntriesByType('resource').filter(each => !each.name.startsWith('data:')).length") == 0

    opened.value("document.querySelector('#play').click()")  # films at rest
    shot = opened.screenshot()
    blue = (abs(shot - [0x00, 0x72, 0xB2]).max(2) < 12).sum()  # colour c0: the marks and lines of the first network
    assert blue > 500
    grey = (np.ptp(shot, axis=2) < 4) & (shot.min(2) > 40) & (shot.max(2) < 200)
    assert (grey.sum(1) > 300).sum() > 400  # films in two lines and the contact sheet: wide greys; all else is thin or white
    assert (shot[:200] < 100).all(2).sum() > 500  # the title


@pytest.mark.browser
def test_one_button_pauses_all_films_and_one_that_drifts_is_set_right(opened: Browser) -> None:
    playing = "films.every(film => !film.paused && film.currentTime > 0)"
    opened.until(playing)
    opened.value("films[3].playbackRate = 0")
    opened.until("films[0].currentTime > 1.5 && films[3].currentTime > 1")  # it stands still, but for being set right
    opened.value("document.querySelector('#play').click()")
    assert opened.value("films.every(film => film.paused)")
    assert opened.value("document.querySelector('#play').textContent") == "Play"
    opened.value("document.querySelector('#play').click()")
    opened.until(playing)
