// SPDX-License-Identifier: MIT
//
// From the rounds of the contenders to medians, quartiles, ratios, verdicts and a table.

/** @typedef {{ median: number, low: number, high: number, best: number }} Summary quartiles, and the lower decile */

/** The quantile `part` of sorted values, between neighbours. */
function quantile(sorted, part) {
  const place = (sorted.length - 1) * part;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/**
 * @param {number[]} values
 * @returns {Summary}
 */
export function summarize(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [best, low, median, high] = [0.1, 0.25, 0.5, 0.75].map((part) => quantile(sorted, part));
  return { median, low, high, best };
}

const TIMED = {
  cpu: { unit: 'µs', of: (sample) => (sample.user + sample.system) / sample.requests },
  wall: { unit: 'µs', of: (sample) => sample.wall / sample.requests },
};

/** What each kind of load measures: the first is what ratios, goals and verdicts are about. */
const MEASURES = {
  read: TIMED,
  stream: TIMED,
  upload: TIMED,
  start: {
    cpu: { unit: 'ms', of: (sample) => sample.cpu },
    wall: { unit: 'ms', of: (sample) => sample.wall },
    import: { unit: 'ms', of: (sample) => sample.import ?? Number.NaN },
    first: { unit: 'ms', of: (sample) => sample.first ?? Number.NaN },
  },
  peak: { peak: { unit: 'MB', of: (sample) => sample.peak } },
  open: {
    open: { unit: 'KiB', of: (sample) => sample.open },
    closed: { unit: 'KiB', of: (sample) => sample.closed },
    'in use, open': { unit: 'KiB', of: (sample) => sample.heldOpen ?? Number.NaN },
    'in use, closed': { unit: 'KiB', of: (sample) => sample.heldClosed ?? Number.NaN },
  },
};

/** @returns {[string, { unit: string, of: (sample: object) => number }][]} */
const measuresOf = (load) => Object.entries(MEASURES[load.kind]);

/** The measure of a load that counts. */
export const mainMeasure = (load) => measuresOf(load)[0][0];

/** How many times as much `base` took as `own`, round by round. @returns {Summary} */
export function ratioOf(load, own, base) {
  return ratios(own, base, measuresOf(load)[0][1].of);
}

function ratios(own, base, of) {
  return summarize(own.map((sample, round) => of(base[round]) / of(sample)));
}

function evaluateSamples(load, samples, bases) {
  const figures = (own) => Object.fromEntries(measuresOf(load).map(([name, { of }]) => [name, summarize(own.map(of))]));
  const against = (own, base) =>
    Object.fromEntries(measuresOf(load).map(([name, { of }]) => [name, ratios(own, samples.get(base), of)]));
  return new Map(
    [...samples]
      .filter(([, own]) => own.length > 0)
      .map(([name, own]) => {
        const others = bases.filter((base) => base !== name && samples.get(base)?.length === own.length);
        const ratiosTo = Object.fromEntries(others.map((base) => [base, against(own, base)]));
        return [name, { ...figures(own), ratios: ratiosTo }];
      }),
  );
}

/**
 * @param {object} load
 * @param {import('./suite.mjs').Outcome} outcome
 * @param {string[]} bases contenders to compare with
 * @returns {object[]} a row for each contender: `plain` and `gc` with a summary for each measure, and `ratios` by base
 *   and measure, where 2 means that the base took twice as much
 */
export function evaluate(load, outcome, bases) {
  const plain = evaluateSamples(load, outcome.plain, bases);
  const gc = evaluateSamples(load, outcome.gc, bases);
  return [...plain].map(([name, figures]) => {
    const warm = outcome.warm.get(name);
    return { name, plain: figures, gc: gc.get(name) ?? null, ...(warm.length > 0 && { warm }) };
  });
}

/**
 * The goals of a load and what porthole made of them.
 * @param {object} load
 * @param {object[]} rows
 * @returns {{ goal: string, value: number, met: boolean }[]}
 */
export function judge(load, rows) {
  const own = rows.find(({ name }) => name === 'porthole')?.plain;
  if (!own) {
    return [];
  }
  const measure = mainMeasure(load);
  return Object.entries(load.goals).flatMap(([goal, limit]) => {
    if (goal === measure) {
      const value = own[goal].median;
      return [{ goal: `at most ${limit} ${MEASURES[load.kind][measure].unit}`, value, met: value <= limit }];
    }
    const ratio = own.ratios[goal]?.[measure].median;
    const text = goal === 'floor' ? `${limit} of the floor` : `${limit} × ${goal}`;
    return ratio === undefined ? [] : [{ goal: text, value: ratio, met: ratio >= limit }];
  });
}

/** A loss of this part or more is reported. */
const LOSS = 0.1;

/**
 * What became of a load between two commits: `change` is how many times as much the new one takes as the old one.
 * @param {object} load
 * @param {object[]} rows
 * @param {string} base the old one
 * @returns {{ change: { median: number, low: number, high: number }, best: number, lost: boolean } | null} `best` compares
 *   the lower deciles; lost: over 10 % more, and more in three quarters of the rounds
 */
export function compare(load, rows, base) {
  const measure = mainMeasure(load);
  const figures = (name) => rows.find((row) => row.name === name)?.plain;
  const own = figures('porthole');
  const ratio = own?.ratios[base]?.[measure];
  if (!ratio) {
    return null;
  }
  const best = own[measure].best / figures(base)[measure].best;
  const change = { median: 1 / ratio.median, low: 1 / ratio.high, high: 1 / ratio.low };
  return { change, best, lost: change.median > 1 + LOSS && change.low > 1 };
}

export function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

function quantity({ median, low, high }, unit) {
  // Not measured: NaN, which JSON writes as null.
  if (!Number.isFinite(median)) {
    return '';
  }
  const [shown, scale] = unit === 'µs' && median >= 1000 ? ['ms', 1000] : [unit, 1];
  return `${digits(median / scale)} ${shown} [${digits(low / scale)}–${digits(high / scale)}]`;
}

/** A ratio with its quartiles. */
export function times(summary) {
  return summary ? `${digits(summary.median)} [${digits(summary.low)}–${digits(summary.high)}]` : '';
}

/**
 * The rows of a load as cells of text, the first of which is the header.
 * @param {object} load
 * @param {object[]} rows
 * @param {string[]} bases
 * @returns {string[][]}
 */
export function cells(load, rows, bases) {
  const measures = measuresOf(load);
  const main = mainMeasure(load);
  const shown = bases.filter((base) => rows.some(({ plain }) => plain.ratios[base]));
  const withGc = rows.some(({ gc }) => gc);
  const header = ['', ...measures.map(([name]) => (name === 'cpu' ? 'CPU' : name))];
  for (const base of shown) {
    header.push(base === 'floor' ? 'of the floor' : `× ${base}`);
  }
  if (withGc) {
    header.push('CPU after gc', ...shown.filter((base) => base === 'floor').map(() => 'of the floor'));
  }
  const lines = rows.map(({ name, plain, gc }) => {
    const line = [name, ...measures.map(([measure, { unit }]) => quantity(plain[measure], unit))];
    line.push(...shown.map((base) => times(plain.ratios[base]?.[main])));
    if (withGc) {
      line.push(gc ? quantity(gc.cpu, 'µs') : '');
      line.push(...shown.filter((base) => base === 'floor').map((base) => times(gc?.ratios[base]?.cpu)));
    }
    return line;
  });
  return [header, ...lines];
}

/** Cells in columns. @param {string[][]} rows @returns {string} */
export function columns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((line) => line[column].length)));
  return rows
    .map((line) => line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ').trimEnd())
    .join('\n');
}
