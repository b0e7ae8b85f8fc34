// SPDX-License-Identifier: MIT
//
// Shows sessions as a console would: each step of the code, and below it what it prints.

import { format, inspect, styleText } from 'node:util';

const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (style, text) => (coloured ? styleText(style, text) : text);
const write = (text) => process.stdout.write(`${text}\n`);
const AsyncFunction = (async () => {}).constructor;
const WIDTH = 100;

/** The statements inside of a function, without the indentation that they have in common. */
function sourceOf(session) {
  const lines = session.toString().split('\n').slice(1, -1);
  const margin = Math.min(...lines.filter((line) => line !== '').map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(margin)).join('\n');
}

function showCode(step) {
  for (const line of step.split('\n')) {
    const comment = line.search(/\/\/ /);
    const [code, remark] = comment < 0 ? [line, ''] : [line.slice(0, comment), line.slice(comment)];
    write(`${paint('gray', '  > ')}${paint('cyan', code)}${paint('gray', remark)}`);
  }
}

function showOutput(...values) {
  const show = (value) => (typeof value === 'object' ? inspect(value, { breakLength: WIDTH }) : value);
  const text = format(...values.map(show));
  write(text.trimEnd().replace(/^/gm, '  '));
}

/** Prints a heading. */
function showHeading(title, about) {
  write(`\n${paint('bold', `── ${title} `)}${paint('gray', '─'.repeat(WIDTH - title.length - 4))}`);
  write(`${about}\n`);
}

/**
 * Runs a session: its own source, as it is shown.
 * @param {{ title: string, about: string, session: () => Promise<void> }} session
 * @param {Record<string, unknown>} names what its code can use
 */
export async function showSession({ title, about, session }, names) {
  showHeading(title, about);
  const steps = sourceOf(session).split('\n\n');
  const scope = { ...names, console: { log: showOutput }, showStep: (n) => showCode(steps[n]) };
  const code = steps.map((step, n) => `showStep(${n});\n${step}`).join('\n');
  await new AsyncFunction(...Object.keys(scope), code)(...Object.values(scope));
}
