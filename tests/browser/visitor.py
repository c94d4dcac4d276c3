"""Do what a visitor does, and read what a visitor sees."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

File = tuple[str, bytes]


def choose(page: Page, *files: File) -> None:
    """Choose files in the page's dialog, and wait until all are answered."""
    sent: list[Any] = [{"name": name, "mimeType": "", "buffer": data} for name, data in files]
    page.set_input_files("#choose", sent)
    wait(page)


def wait(page: Page) -> None:
    """Wait until every photo has its answer."""
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")


def hand_over(page: Page, event: str, *files: File) -> None:
    """Drop or paste files on the page; `event` is `drop` or `paste`."""
    page.evaluate(
        """([event, files]) => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, { ...options, clipboardData: data })
                : new DragEvent(event, { ...options, dataTransfer: data }));
        }""",
        [event, [[name, list(data)] for name, data in files]],
    )
    wait(page)


def verdict(page: Page) -> Locator:
    """Return the answer's headline."""
    return page.locator("#verdict")


def candidates(page: Page) -> Locator:
    """Return the candidates, best first."""
    return page.locator(".candidates button")


def tabs(page: Page) -> Locator:
    """Return the photos of this visit."""
    return page.locator("#strip button")


def heat(page: Page) -> str | None:
    """Return the heat map's picture, or None if none is shown."""
    found: str | None = page.evaluate("() => document.querySelector('.heat')?.toDataURL() ?? null")
    return found
