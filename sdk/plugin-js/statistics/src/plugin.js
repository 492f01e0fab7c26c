// Sum, average, minimum and maximum of an array of numbers.
// @ts-check
import { PluginError, plugin } from "../../casemate.js";

/** @param {{ numbers: number[] }} input */
function stats({ numbers }) {
    if (!Array.isArray(numbers)) throw new PluginError("bad_input", "numbers is an array of numbers");
    if (numbers.length === 0) throw new PluginError("empty_input", "Input array is empty");
    const sum = numbers.reduce((all, number) => all + number, 0);
    const [min, max] = [Math.min, Math.max].map((pick) => numbers.reduce((a, b) => pick(a, b)));
    return { sum, average: sum / numbers.length, min, max };
}

export const guest = plugin({ id: "statistics", name: "Statistics", version: "0.1.0", methods: { stats } });
