"""The chart of docs/performance.md."""

import re
from typing import Any

import matplotlib.pyplot as plt

from bench.report import DOCS, NAMES

CHART = DOCS / "performance.svg"


def draw(results: dict[str, Any]) -> None:
    """Seconds of the contenders at the most orders, and of first loads and arrivals as history grows."""
    plt.rcParams.update({"svg.hashsalt": "orders", "font.size": 9})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    count = max(results["contenders"], key=int)
    taken = sorted(results["contenders"][count].items(), key=lambda item: -item[1]["seconds"])
    names = [re.sub(r"[*`]|, the yardstick", "", NAMES[name]) for name, _ in taken]
    colors = ["#2b6cb0" if name == "pipeline" else "#a0aec0" for name, _ in taken]
    bars = left.barh(names, [done["seconds"] for _, done in taken], color=colors)
    left.bar_label(bars, fmt="%.0f", padding=2)
    left.set_title(f"{int(count):,} orders, landed to marts: seconds")
    left.spines[["top", "right"]].set_visible(False)
    rising = [row for row in results["growth"] if not row["random_ids"]]
    for figure_, label in (("seconds", "first load"), ("arrival", "arrival of 1,000 orders")):
        right.plot([row["count"] for row in rising], [row[figure_] for row in rising], marker="o", label=label)
    right.set(xscale="log", yscale="log", xlabel="orders in the history", title="seconds, as history grows")
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False)
    figure.savefig(CHART, metadata={"Date": None})
