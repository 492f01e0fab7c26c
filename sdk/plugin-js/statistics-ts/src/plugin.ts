// Sum, average, minimum and maximum of an array of numbers.
import { PluginError, plugin } from "../../casemate.js";

interface Statistics {
    sum: number;
    average: number;
    min: number;
    max: number;
}

function stats({ numbers }: { numbers: number[] }): Statistics {
    if (!Array.isArray(numbers)) throw new PluginError("bad_input", "numbers is an array of numbers");
    if (numbers.length === 0) throw new PluginError("empty_input", "Input array is empty");
    const sum = numbers.reduce((all, number) => all + number, 0);
    const min = numbers.reduce((a, b) => Math.min(a, b));
    const max = numbers.reduce((a, b) => Math.max(a, b));
    return { sum, average: sum / numbers.length, min, max };
}

export const guest = plugin({ id: "statistics", name: "Statistics", version: "0.1.0", methods: { stats } });
