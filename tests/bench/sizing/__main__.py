"""What size of function suits your numbers, and what it costs a month and per thousand photos.

make sizing IMAGES_PER_DAY=50000 PEAK=20 COLD_SHARE=0.02 LATENCY_MS=500 MEGAPIXELS=3 UPLINK_MBIT=50 PRICES=mine.json
make sizing MEASURE=1     # measures anew on this machine, some minutes; else tests/bench/sizing/sizing.json is gone by
"""

import argparse
import json
import sys
from pathlib import Path

from tests.bench.sizing.cost import Prices
from tests.bench.sizing.measure import FILE, measure_all
from tests.bench.sizing.model import Needs, settings_of
from tests.bench.sizing.report import draw_costs, report

PRICES = Path(__file__).parents[1] / "prices.json"
_OUT = Path(__file__).parents[1] / "build"


def read_prices(own: Path | None = None) -> Prices:
    """The prices of the table, and in their place those of a file of one's own: {"prices": {name: dollars, …}}.

    Raises `ValueError` for a name that is not in the table.
    """
    table = json.loads(PRICES.read_text(encoding="utf-8"))["prices"]
    prices = {name: float(dollars) for name, (dollars, _, _) in table.items()}
    for name, value in json.loads(own.read_text(encoding="utf-8"))["prices"].items() if own else ():
        if name not in prices:
            raise ValueError(f"{own}: there is no price {name!r}, only {', '.join(prices)}")
        prices[name] = float(value[0] if isinstance(value, list) else value)
    return prices


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.sizing", description=(__doc__ or "").partition("\n")[0]
    )
    usual = Needs()
    for name, help_ in (
        ("images_per_day", "photos a day"),
        ("peak", "the busiest minute's rate over the day's average"),
        ("cold_share", "share of requests that start an instance, 0 to 1"),
        ("latency_ms", "the most that 95 of 100 photos may take, milliseconds after they arrived"),
        ("megapixels", "of a photo"),
        ("uplink_mbit", "how fast photos arrive, Mbit/s"),
    ):
        value = getattr(usual, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=float, default=value, help=f"{help_} (default: {value:g})"
        )
    parser.add_argument("--prices", type=Path, help=f"prices of your own, by the names in {PRICES.name}")
    parser.add_argument("--measure", action="store_true", help="measure anew on this machine")
    parser.add_argument("--out", type=Path, default=_OUT, help="folder of the chart (default: %(default)s)")
    arguments = vars(parser.parse_args())
    own, measure, out = (arguments.pop(name) for name in ("prices", "measure", "out"))
    needs = Needs(**arguments)
    if not (min(needs.images_per_day, needs.latency_ms, needs.megapixels, needs.uplink_mbit) > 0 and needs.peak >= 1):
        parser.error("images, latency, megapixels and uplink should be above 0, and the peak no less than 1")
    if not 0 <= needs.cold_share <= 1:
        parser.error("the share of cold starts should be from 0 to 1")
    try:
        prices = read_prices(own)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"cannot read prices: {error}")
    if measure:
        measure_all()
    document = json.loads(FILE.read_text(encoding="utf-8"))
    settings = settings_of(document)
    out.mkdir(parents=True, exist_ok=True)
    draw_costs(settings, needs, prices, out / "cost.png")
    print(report(settings, needs, prices))
    read = json.loads(PRICES.read_text(encoding="utf-8"))["read"]
    print(f"\nMeasured {document['date']} on {document['processor']}; prices read {read}.")
    print(f"Chart: {out / 'cost.png'}")


if __name__ == "__main__":
    main()
