// SPDX-License-Identifier: MIT
//
// From the rounds of the contenders to medians, ratios and a table.

/** @typedef {{ requests: number, wall: number, user: number, system: number, rss: number }} Sample µs and KiB */
/** @typedef {{ median: number, min: number, max: number }} Summary */

/**
 * @param {number[]} values
 * @returns {Summary}
 */
function summarize(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

const MEASURES = {
  wall: (sample) => sample.wall / sample.requests,
  cpu: (sample) => (sample.user + sample.system) / sample.requests,
};

/** How much less than `base` the contender took: the ratio of the medians, with the range over pairs of one round. */
function ratio(base, own, measure) {
  const { min, max } = summarize(own.map((sample, round) => measure(base[round]) / measure(sample)));
  return { median: summarize(base.map(measure)).median / summarize(own.map(measure)).median, min, max };
}

/**
 * @param {Map<string, Sample[]>} samples the rounds of each contender
 * @param {string[]} bases contenders to compare with
 * @returns {object[]} a row for each contender: wall and CPU time of one request in µs, peak memory in MB, ratios
 */
export function evaluate(samples, bases) {
  return [...samples].map(([name, own]) => ({
    name,
    wall: summarize(own.map(MEASURES.wall)),
    cpu: summarize(own.map(MEASURES.cpu)),
    rss: summarize(own.map((sample) => (sample.rss * 1024) / 1e6)),
    ratios: Object.fromEntries(
      bases
        .filter((base) => base !== name && samples.has(base))
        .map((base) => [
          base,
          {
            wall: ratio(samples.get(base), own, MEASURES.wall),
            cpu: ratio(samples.get(base), own, MEASURES.cpu),
          },
        ]),
    ),
  }));
}

function digits(value) {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function time({ median, min, max }) {
  const [unit, scale] = median >= 1000 ? ['ms', 1000] : ['µs', 1];
  return `${digits(median / scale)} ${unit} (${digits(min / scale)}–${digits(max / scale)})`;
}

function times(summary) {
  return summary ? `${digits(summary.median)} (${digits(summary.min)}–${digits(summary.max)})` : '';
}

/**
 * The rows of `evaluate` as lines of text.
 * @param {object[]} rows
 * @param {string[]} bases
 * @returns {string}
 */
export function table(rows, bases) {
  const shown = bases.filter((base) => rows.some(({ ratios }) => ratios[base]));
  const header = ['', 'wall', 'CPU', ...shown.flatMap((base) => [`vs ${base}: wall`, 'CPU']), 'peak RSS'];
  const lines = rows.map(({ name, wall, cpu, rss, ratios }) => [
    name,
    time(wall),
    time(cpu),
    ...shown.flatMap((base) => [times(ratios[base]?.wall), times(ratios[base]?.cpu)]),
    `${rss.median.toFixed(0)} MB`,
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((cells) => cells[column].length)));
  return [header, ...lines]
    .map((cells) => cells.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '))
    .join('\n');
}

/**
 * The goals of a load and what porthole made of them.
 * @param {{ cpu?: number, rss?: number }} goals
 * @param {object[]} rows
 * @returns {{ goal: string, value: number, met: boolean }[]}
 */
export function judge(goals, rows) {
  const own = rows.find(({ name }) => name === 'porthole');
  const ratios = own?.ratios.undici;
  const verdicts = [];
  if (goals.cpu && ratios) {
    const value = ratios.cpu.median;
    verdicts.push({ goal: `CPU ≥ ${goals.cpu} × undici`, value, met: value >= goals.cpu });
  }
  if (goals.rss && own) {
    verdicts.push({ goal: `peak RSS < ${goals.rss} MB`, value: own.rss.median, met: own.rss.median < goals.rss });
  }
  return verdicts;
}
