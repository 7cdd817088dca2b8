"""Effects in words: "7.2 % slower", "1.4 points worse"."""

from __future__ import annotations

import math

from harness.plain_text import on_its_side

_WORSE_BETTER = {
    "throughput": ("slower", "faster"),
    "time_to_target": ("later at the target", "sooner at the target"),
    "peak_memory": ("more memory", "less memory"),
    "final_score": ("worse", "better"),
    "target_reached": ("fewer launches at the target", "more launches at the target"),
    "step_p95": ("slower slow steps", "faster slow steps"),
    "scaling_efficiency": ("less efficient", "more efficient"),
}

_LEAST_SAID = 0.0005  # less would read as 0.0 %


def size(effect: float, scale: str) -> str:
    """An effect's size: `7.2 %` or `1.4 points`."""
    if math.isnan(effect):
        return "unknown"
    if math.isinf(effect):
        return "∞"
    return f"{effect * 100:.1f} {'%' if scale == 'ratio' else 'points'}"


def direction(metric: str, effect: float) -> str:
    worse, better = _WORSE_BETTER[metric]
    return worse if effect > 0 else better


def effect_in_words(metric: str, scale: str, effect: float, low: float, high: float, *, gate: float) -> str:
    """`7.2 % slower [+6.8 %, +7.9 %]`; the interval's ends are negative where they are on the better side."""
    if math.isnan(effect):
        return "no pair to compare"
    if effect == low == high == 0:
        return "unchanged"
    between = f"[{_signed(low, scale)}, {_signed(high, scale)}]"
    if abs(effect) < _LEAST_SAID:
        return f"unchanged {between}"
    return f"{size(abs(beside(effect, gate)), scale)} {direction(metric, effect)} {between}"


def beside(effect: float, bar: float) -> float:
    """The effect, such that its size does not read as another side of the bar."""
    return on_its_side(effect, bar, 3)


def _signed(effect: float, scale: str) -> str:
    if math.isinf(effect):
        return "-∞" if effect < 0 else "∞"
    rounded = round(effect * 100, 1) + 0.0  # nought has no minus
    return f"{rounded:+.1f}{' %' if scale == 'ratio' else ''}"


def value_in_words(value: float, unit: str) -> str:
    """A measured value with its unit, short."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "never" if unit == "s" else "diverged"
    if unit == "bytes":
        return f"{value / 1024**2:,.0f} MiB"
    if unit:
        return f"{value:,.4g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{value:.4g}"
