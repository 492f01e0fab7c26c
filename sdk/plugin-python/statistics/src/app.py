"""Sum, average, minimum and maximum of an array of numbers."""

from casemate_plugin import Error, Plugin

plugin = Plugin("statistics", "Statistics", "0.1.0")


@plugin.method
def stats(numbers: list[float]) -> dict[str, float]:
    if not numbers:
        raise Error("empty_input", "Input array is empty")
    total = 0.0
    # Not sum(), which compensates for rounding, and so is not what other languages add up to.
    for number in numbers:
        total += number
    return {"sum": total, "average": total / len(numbers), "min": min(numbers), "max": max(numbers)}


Guest = plugin.guest()
