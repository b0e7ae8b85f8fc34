// SPDX-License-Identifier: MIT
//
// The cases of test/data/destinations.json, as a policy is asked for them.

import { readFileSync } from 'node:fs';

/** The rules that a case is judged by. */
function rulesFor(input) {
  if (input.includes('allowed.example') || input.startsWith('xn--')) return ['allowed.example:*'];
  return /^[a-z.]+:\d+$/.test(input) ? ['*:80', '*:443'] : ['*:*'];
}

/**
 * @returns {Array<{input: string, expect: 'allow' | 'deny', why: string, allow: string[], host: string, port: number,
 *   url: string, addresses: string[]}>} `addresses` are those that the name has
 */
export function destinations() {
  const cases = JSON.parse(readFileSync(new URL('../data/destinations.json', import.meta.url), 'utf8'));
  return cases.map(({ input, kind, expect, why }) => {
    const [asked, answer = '93.184.216.34'] = input.split(' -> ');
    const place = asked.replace('proxy CONNECT to ', '');
    const [, host, digits] = /^(.*?)(?::(\d+))?$/.exec(kind === 'flow' ? place : `${place}:80`);
    const url = place.includes('://') ? place : `http://${kind === 'ipv6' ? `[${place}]` : host}:${digits}/`;
    const addresses = answer.replace(/[[\]]/g, '').split(', ');
    return { input, expect, why, allow: rulesFor(input), host, port: Number(digits ?? 80), url, addresses };
  });
}
