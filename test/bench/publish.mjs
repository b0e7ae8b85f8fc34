// SPDX-License-Identifier: MIT
//
// RESULTS.md and results.svg out of a full run.

import { readFileSync, writeFileSync } from 'node:fs';
import { chart } from './chart.mjs';
import { cells, digits, mainMeasure, ratioOf, times } from './report.mjs';

const CHART_TEXT = 'Dot plot: for each load, how many times the CPU time of a bare socket each client took';

/** A table of Markdown. */
function markdown(rows) {
  const line = (texts) => `| ${texts.join(' | ')} |`;
  const [header, ...rest] = rows;
  const marks = header.map((_, column) => (column ? '--:' : '---'));
  return [line(header), line(marks), ...rest.map(line)].join('\n');
}

/** What porthole made of each load, in a row. */
function summary(loads) {
  const rows = loads.flatMap(({ title, kind, rows: figures, goals }) => {
    const own = figures.find(({ name }) => name === 'porthole');
    const measure = mainMeasure({ kind });
    if (!own || measure !== 'cpu') {
      return [];
    }
    const told = goals.map(({ goal, met }) => `${goal}: ${met ? 'met' : 'missed'}`).join('; ');
    const { ratios } = own.plain;
    return [[title, times(ratios.floor?.cpu), times(own.gc?.ratios.floor?.cpu), times(ratios.undici?.cpu), told]];
  });
  return markdown([['load', 'part of the floor', 'after a collection', '× undici', 'goals'], ...rows]);
}

const PARTS = { client: 'JavaScript of the client', core: 'core', node: 'JavaScript of Node', collection: 'collection', system: 'system' };

/** Where the time of porthole goes, and that of the floor beside it. */
function split(loads) {
  const rows = loads.flatMap(({ title, profiles = {} }) =>
    Object.entries(profiles).map(([name, parts]) => [
      title,
      name,
      ...Object.keys(PARTS).map((part) => (`${digits(parts[part])} µs`)),
    ]),
  );
  return markdown([['load', '', ...Object.values(PARTS)], ...rows]);
}

function memory(loads) {
  return loads
    .filter(({ kind }) => kind === 'peak' || kind === 'open')
    .map(({ title, rows, goals, kind }) => {
      const told = goals.map(({ goal, value, met }) => `Goal: ${goal}; ${digits(value)}, ${met ? 'met' : 'missed'}.`);
      return `### ${title}\n\n${markdown(cells({ kind }, rows, []))}\n\n${told.join('\n')}`;
    })
    .join('\n\n');
}

function timed(loads) {
  return loads
    .filter(({ kind }) => kind !== 'peak' && kind !== 'open')
    .map((load) => {
      const server = load.server ? `\n\nThe server took ${digits(load.server)} µs of CPU for a request.` : '';
      return `### ${load.title}\n\n${markdown(cells(load, load.rows, ['floor', 'undici']))}${server}`;
    })
    .join('\n\n');
}

/** The whole page. @param {object} report @returns {string} */
export function page(report) {
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`);
  const places = report.pinned ? 'server and clients each on a CPU of their own' : 'server and clients not pinned';
  return `# Results

Written by \`npm run bench -- --publish\` out of one full run; how it measures, and what misleads, is in
[README.md](README.md).

- ${report.cpu}, ${report.system}; ${places}
- ${versions.join(', ')}; commit ${report.revision}
- ${report.date}, ${report.rounds} rounds

A cell is the median with the quartiles of the rounds. Ratios are of CPU time, round by round: of the floor, 1 means as
little as a bare socket; × undici, 2 means that undici's \`request\` took twice as much.

![${CHART_TEXT}](results.svg)

## porthole

${summary(report.loads)}

## Where the time goes

CPU time for a request, by a sampling profiler, which itself takes some: the JavaScript of the client (porthole's, or the
bare socket's), the core in WebAssembly, Node's own JavaScript (sockets and streams), garbage collection, and the rest: the
kernel, libuv and natives of Node.

${split(report.loads)}

## Memory

${memory(report.loads)}

## All contenders

${timed(report.loads)}
`;
}

/** Where the README has figures: between these. */
const BEGIN = '<!-- figures: npm run bench -- --publish -->';
const END = '<!-- figures end -->';

/** What the README says of a run. */
function figures(report) {
  const peers = { floor: 'a bare socket', undici: 'undici', 'node-http': '`node:http`', python: 'Python' };
  const rows = report.loads
    .filter(({ kind, samples }) => mainMeasure({ kind }) === 'cpu' && samples?.porthole)
    .map(({ title, kind, samples }) => {
      const ratio = (peer) => (samples[peer] ? digits(ratioOf({ kind }, samples.porthole, samples[peer]).median) : '');
      return [title, ...Object.keys(peers).map(ratio)];
    });
  const measured = (kind) => {
    const load = report.loads.find((each) => each.kind === kind);
    return load.rows.find(({ name }) => name === 'porthole').plain[kind].median;
  };
  return `${markdown([['load', ...Object.values(peers)], ...rows])}

Streaming 64 MiB took ${digits(measured('peak'))} MB of memory at its peak, and each of 1,000 open connections that had read
300 KB ${digits(measured('open'))} KiB. (${report.cpu}, Node ${report.versions.node}, undici ${report.versions.undici}, Python
${report.versions.python}, ${report.date.slice(0, 10)}.)`;
}

/** The README with the figures of a run. @param {string} text @param {object} report @returns {string} */
export function withFigures(text, report) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) {
    throw new Error(`README.md has no place for figures: ${BEGIN} … ${END}`);
  }
  return `${text.slice(0, begin + BEGIN.length)}\n${figures(report)}\n${text.slice(end)}`;
}

/** Writes both files beside this one, and the README's figures. @param {object} report */
export async function publish(report) {
  const readme = new URL('../../README.md', import.meta.url);
  writeFileSync(readme, withFigures(readFileSync(readme, 'utf8'), report));
  writeFileSync(new URL('RESULTS.md', import.meta.url), page(report));
  writeFileSync(new URL('results.svg', import.meta.url), chart(report));
}
