"""The page in Chromium: keys, buttons and the slider step through episodes, and nothing fails."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.viewer.watch_page import as_page
from tests import small_homes
from tests.pages import read_page, watch

pytestmark = pytest.mark.browser

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--force-prefers-reduced-motion",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = os.environ["CHROMIUM"]
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(os.environ["CHROMEDRIVER"])
    chromium = webdriver.Chrome(options=options, service=service)
    yield chromium
    chromium.quit()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("rooms") / "watch.html"
    flags = ["--task", "LavaDoorKey", "--eval_teacher", "--num_eval", "10", "--out", str(page)]
    assert watch(page.parent, *flags, "--episodes", "4") == 0
    return page


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def press(browser: Any, *names: str) -> None:
    from selenium.webdriver.common.keys import Keys

    for name in names:
        browser.switch_to.active_element.send_keys(getattr(Keys, name))


def status(browser: Any) -> str:
    return str(find(browser, "#status").text)


def current(browser: Any) -> int:
    buttons = browser.find_elements("css selector", "#episodes button")
    return [button.get_attribute("aria-current") for button in buttons].index("true")


def resize(browser: Any, width: int) -> None:
    size = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def test_keys_step_through_an_episode_and_to_another(browser: Any, rooms: Path) -> None:
    episodes = read_page(rooms)["episodes"]
    last = episodes[0]["length"]
    browser.get(rooms.as_uri())
    assert status(browser).startswith(f"step 0 of {last}: ")
    press(browser, "ARROW_RIGHT")
    assert status(browser).startswith(f"step 1 of {last}: ")
    assert find(browser, "#scene").text == episodes[0]["moments"][1]["scene"]
    press(browser, "ARROW_LEFT", "ARROW_LEFT")
    assert status(browser).startswith(f"step 0 of {last}: ")
    press(browser, "END")
    assert status(browser) == f"step {last} of {last}: {episodes[0]['outcome']}"
    press(browser, "HOME", "ARROW_DOWN")
    assert current(browser) == 1
    assert status(browser).startswith(f"step 0 of {episodes[1]['length']}: ")
    press(browser, "ARROW_UP", "ARROW_UP")
    assert current(browser) == 0
    press(browser, *["ARROW_DOWN"] * 5)
    assert current(browser) == 3
    assert not browser.get_log("browser")


def test_the_slider_and_buttons_do_the_same(browser: Any, rooms: Path) -> None:
    episodes = read_page(rooms)["episodes"]
    browser.get(rooms.as_uri())
    slider = find(browser, "#slider")
    browser.execute_script(
        "arguments[0].value = 2; arguments[0].dispatchEvent(new Event('input'));", slider
    )
    assert status(browser).startswith("step 2 of ")
    # The slider has keys of its own: a step must not become two.
    browser.execute_script("arguments[0].focus()", slider)
    press(browser, "ARROW_LEFT")
    assert status(browser).startswith("step 1 of ")
    press(browser, "ARROW_DOWN")
    assert (current(browser), status(browser)[:9]) == (1, "step 0 of")
    for button, step in (("next", 1), ("back", 0), ("last", episodes[1]["length"]), ("first", 0)):
        find(browser, f"#{button}").click()
        assert status(browser).startswith(f"step {step} of ")
    browser.find_elements("css selector", "#episodes button")[2].click()
    assert current(browser) == 2
    assert not browser.get_log("browser")


def test_it_plays_to_the_end(browser: Any, rooms: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    episodes = read_page(rooms)["episodes"]
    shortest = min(range(len(episodes)), key=lambda i: episodes[i]["length"])
    browser.get(rooms.as_uri())
    press(browser, *["ARROW_DOWN"] * shortest)
    find(browser, "#play").click()
    assert find(browser, "#play").get_attribute("aria-label") == "Pause"
    end = f"step {episodes[shortest]['length']} of "
    WebDriverWait(browser, 60).until(lambda _: status(browser).startswith(end))
    assert find(browser, "#play").get_attribute("aria-label") == "Play"
    assert not browser.get_log("browser")


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_it_fits_a_phone_and_a_screen(browser: Any, rooms: Path, width: int) -> None:
    resize(browser, width)
    browser.get(rooms.as_uri())
    assert browser.execute_script("return innerWidth") == width
    page = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    assert browser.execute_script(page) == 0
    room = find(browser, "#pictures svg").rect
    assert room["width"] > 160
    assert find(browser, "#next").rect["height"] >= 44
    assert not browser.get_log("browser")


def test_bars_and_plans_are_those_of_the_data(browser: Any, rooms: Path) -> None:
    content = read_page(rooms)
    browser.get(rooms.as_uri())
    moment = content["episodes"][0]["moments"][0]
    rows = browser.find_elements("css selector", "#bars .action")
    assert [row.text.split("\n")[0] for row in rows] == content["actions"]
    for row, share in zip(rows, moment["bars"]["teacher"], strict=True):
        assert row.text.endswith(f"{share:.2f}")
    plans = browser.find_elements("css selector", "#plans > li")
    assert len(plans) == len(moment["plans"])
    likeliest = max(range(len(plans)), key=lambda i: moment["plans"][i][0])
    options = moment["plans"][likeliest][1]
    assert [each.text for each in plans[0].find_elements("css selector", "ol li")] == options
    now = plans[0].find_element("css selector", "[aria-current]").text
    assert now == options[moment["under_way"][likeliest]]


def test_a_home_with_its_depth_view(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    page = tmp_path / "home.html"
    flags = ["--task", small_homes.TASK, "--eval_teacher", "--num_eval", "2", "--out", str(page)]
    assert watch(tmp_path, *flags) == 0
    browser.get(page.as_uri())
    press(browser, "ARROW_RIGHT")
    shades = """
        const canvas = document.querySelector("canvas"), side = canvas.width;
        const pixels = canvas.getContext("2d").getImageData(0, 0, side, side).data;
        return new Set(pixels).size;
    """
    WebDriverWait(browser, 20).until(lambda _: browser.execute_script(shades) > 3)
    assert find(browser, "#pictures svg").get_attribute("aria-label").startswith("The home")
    assert not browser.get_log("browser")


def test_what_is_no_number_leaves_a_gap(browser: Any, rooms: Path, tmp_path: Path) -> None:
    content, page = read_page(rooms), tmp_path / "gap.html"
    content["run"], episode = "run", content["episodes"][0]
    for number, step in enumerate(episode["moments"][:-1]):
        step["value"] = None if number == 1 else 0.5
        step["bars"]["student"] = [None] * 7
    episode["steps"] = episode["moments"]
    page.write_text(as_page(content), encoding="utf-8")
    browser.get(page.as_uri())
    assert find(browser, "#strip path").get_attribute("d").count("M") == 2
    assert "0.500" in find(browser, "#numbers").text
    press(browser, "ARROW_RIGHT")
    assert "value\n–" in find(browser, "#numbers").text
    assert not browser.get_log("browser")


def test_text_in_the_data_cannot_become_code(browser: Any, rooms: Path, tmp_path: Path) -> None:
    content, page = read_page(rooms), tmp_path / "hostile.html"
    attack = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    first = content["episodes"][0]["steps"][0]
    first["scene"], first["plans"] = attack, [[1.0, [attack]]]
    first["under_way"], first["advised"], first["followed"] = [0], [attack], [True]
    page.write_text(as_page(content), encoding="utf-8")
    browser.get(page.as_uri())
    assert find(browser, "#scene").text == attack
    assert find(browser, "#plans ol li").text == attack
    assert browser.title == "LavaDoorKey: the teacher, step by step"
    assert not browser.get_log("browser")
