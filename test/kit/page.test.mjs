// SPDX-License-Identifier: MIT
//
// The pages for embedders are true: bindings/host-abi.md has what host.h and errors.def have, and the commands run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../bindings/setup.mjs';
import { noOpenssl } from '../support/certificates.mjs';
import { noClang } from './build.mjs';
import { HOSTS } from './hosts.mjs';

const run = promisify(execFile);
const text = (...path) => readFileSync(join(root, ...path), 'utf8');
const page = text('bindings', 'host-abi.md');
const header = text('src', 'include', 'porthole', 'host.h');
const oneLine = (code) => code.replace(/\s+/g, ' ').trim();

/** Each function of the header: its declaration, its parameters, and the errors that its comment names. */
const functions = [...header.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nPORTHOLE_IMPORT\((\w+)\)\n([^;]+;)/g)].map(([, comment, name, declaration]) => ({
  name,
  declaration: oneLine(declaration),
  parameters: [...declaration.matchAll(/(\w+)(?=[,)])/g)].map(([, parameter]) => parameter).filter((parameter) => parameter !== 'void'),
  errors: [...comment.matchAll(/(?:PORTHOLE_HOST|(?<=[\s(]))_([A-Z_]+)\b/g)].map(([, error]) => error),
}));

/** The section of the page about a function. */
const sectionOf = (name) => page.split(`\n### \`${name}\`\n`)[1]?.split(/\n##/)[0] ?? '';

describe('the page for embedders', () => {
  test('has every function of the header, as it is declared, and no other', () => {
    assert.equal(functions.length, 9);
    assert.deepEqual([...page.matchAll(/^### `(\w+)`$/gm)].map(([, name]) => name), functions.map(({ name }) => name));
    for (const { name, declaration } of functions) assert.ok(oneLine(sectionOf(name)).includes(declaration), name);
  });

  test('has every argument', () => {
    for (const { name, parameters } of functions) {
      const listed = sectionOf(name).split('\n').filter((line) => line.startsWith('- `')).flatMap((line) => [...line.split(':')[0].matchAll(/`(\w+)`/g)]);
      assert.deepEqual(listed.map(([, parameter]) => parameter), parameters, name);
    }
  });

  test('has every error that the header expects of a function', () => {
    assert.ok(functions[0].errors.length > 5);
    for (const { name, errors } of functions) {
      for (const error of errors) assert.match(sectionOf(name), new RegExp(`\`${error}\``), `${name}: ${error}`);
    }
  });

  test('has the codes of errors.def', () => {
    const codes = [...text('src', 'include', 'porthole', 'errors.def').matchAll(/^X\((\w+), (-\d+),/gm)]
      .map(([, name, number]) => [number, name])
      .filter(([number]) => Number(number) <= -400 && Number(number) > -500);
    const listed = [...page.matchAll(/^\| (-\d+) \| `(\w+)` \|/gm)].map(([, number, name]) => [number, name]);
    assert.deepEqual(listed, [['-1', 'WANT_READ'], ['-2', 'WANT_WRITE'], ...codes]);
  });

  test('has the constants of the header', () => {
    const constants = [...header.matchAll(/\b(PORTHOLE_(?:OPEN|TLS|INFO)_\w+|PORTHOLE_(?:READ|WRIT)ABLE) = (\d+)/g)];
    const listed = [...page.matchAll(/^\| `(PORTHOLE_\w+)` \| (\d+) \|/gm)];
    assert.ok(constants.length >= 10);
    assert.deepEqual(listed.map(([, ...entry]) => entry), constants.map(([, ...entry]) => entry));
  });
});

const commandsIn = (document) => [...document.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
const missing = Object.values(HOSTS).find((host) => host.missing)?.missing ?? false;

describe('the commands of the pages run', { skip: noClang || noOpenssl || missing }, () => {
  for (const [name, document] of [['bindings/host-abi.md', page], ['test/kit/README.md', text('test', 'kit', 'README.md')]]) {
    test(name, async () => {
      const blocks = commandsIn(document);
      assert.equal(blocks.length, 1);
      const { stdout } = await run('bash', ['--norc', '-ec', blocks[0]], { cwd: root, timeout: 240_000 });
      assert.match(stdout, /^TAP version 13\n1\.\.\d+\nok 1 - /);
      assert.doesNotMatch(stdout, /^not ok|^# /m);
    });
  }

  test('demo/hosts/README.md, with the rules that it shows', async () => {
    const document = text('demo', 'hosts', 'README.md');
    const folder = mkdtempSync(join(tmpdir(), 'porthole-rules-'));
    try {
      const rules = join(folder, 'rules.json');
      writeFileSync(rules, /^```json\n([\s\S]*?)^```$/m.exec(document)[1]);
      const blocks = commandsIn(document);
      assert.equal(blocks.length, 3);
      for (const block of blocks) {
        const { stdout } = await run('bash', ['--norc', '-ec', block.replaceAll('rules.json', rules)], { cwd: root, timeout: 240_000 });
        const rule = 'https://api.example.com';
        const { reason: _, ...verdict } = JSON.parse(stdout);
        assert.deepEqual(verdict, { allowed: true, rule, address: '93.184.216.34' });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('demo/hosts/README.md has the limits that there are', () => {
    const listed = [...text('demo', 'hosts', 'README.md').matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    const inPython = /^LIMITS = \{\n([\s\S]*?)^\}/m.exec(text('demo', 'hosts', 'python', 'policy.py'))[1];
    const inGo = /^type Limits struct \{\n([\s\S]*?)^\}/m.exec(text('demo', 'hosts', 'go', 'policy.go'))[1];
    assert.deepEqual(listed, [...inPython.matchAll(/^ {4}"(\w+)"/gm)].map(([, name]) => name));
    assert.deepEqual(listed, [...inGo.matchAll(/json:"(\w+)"/g)].map(([, name]) => name));
  });
});
