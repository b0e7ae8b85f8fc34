// SPDX-License-Identifier: MIT
//
// The documentation is true: its snippets run and print what they say, its tables agree with the sources.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as porthole from '../../js/index.js';
import { certificates } from '../support/certificates.mjs';
import { startServer } from './docs-server.mjs';

/** The servers of the snippets have certificates of this CA, which stands for one that everybody trusts. */
const authority = certificates().ca;
const root = fileURLToPath(new URL('../../', import.meta.url));
const redirect = new URL('./redirect.mjs', import.meta.url).href;
const exported = new Map(Object.entries(porthole));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const manual = readFileSync(join(root, 'js', 'README.md'), 'utf8');
/** The pages of js/guide/, by name. */
const guide = Object.fromEntries(
  readdirSync(join(root, 'js', 'guide')).map((name) => [name, readFileSync(join(root, 'js', 'guide', name), 'utf8')]),
);

/** The js blocks of a document, with the heading above each. */
function snippetsOf(document, name) {
  const snippets = [];
  let heading = '';
  for (const [, title, code] of document.matchAll(/^#+ ([^\n]*)$|^```js\n(.*?)^```$/gms)) {
    if (title !== undefined) heading = title.replaceAll('`', '');
    else snippets.push({ name: `${name}: ${heading} (${snippets.length + 1})`, code });
  }
  return snippets;
}

/** Every comment of a snippet is a line that it prints; "…" at its end for the rest of a line, alone for further lines. */
function printedBy(code) {
  return [...code.matchAll(/(?<=^|\s)\/\/ (.*)$/gm)].map(([, text]) => text);
}

/** The first snippet of the manual is what the others are wrapped in. */
function withFrame(code, frame) {
  if (/^import /m.test(code)) return code;
  const end = frame.lastIndexOf('\nconn.close();');
  return frame.slice(0, end) + code + frame.slice(end);
}

let programs = 0;

function run(code, folder, port) {
  const program = join(folder, `${++programs}.mjs`);
  writeFileSync(program, code);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', redirect, program], {
      cwd: folder,
      env: { ...process.env, DOCS_PORT: String(port), NODE_EXTRA_CA_CERTS: authority, NODE_OPTIONS: '', FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status: status ?? signal, stdout, stderr }));
  });
}

/** What a snippet printed, where the comment that stands for a line is only its beginning: as the comment. */
function asExpected(line, comment = '') {
  return comment.endsWith('…') && line.startsWith(comment.slice(0, -1)) ? comment : line;
}

describe('every snippet runs by itself and prints what its comments say', { concurrency: 2 }, () => {
  let server;
  let folder;

  before(async () => {
    server = await startServer();
    folder = mkdtempSync(join(tmpdir(), 'porthole-docs-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'porthole'), 'dir');
  });

  after(async () => {
    await server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const inManual = snippetsOf(manual, 'js/README.md');
  const frame = inManual[0].code;
  const inGuide = Object.entries(guide).flatMap(([name, page]) => snippetsOf(page, `js/guide/${name}`));
  for (const { name, code } of [...snippetsOf(readme, 'README.md'), ...inManual, ...inGuide]) {
    test(name, async () => {
      const { status, stdout, stderr } = await run(withFrame(code, frame), folder, server.port);
      const expected = printedBy(code);
      let printed = stdout.split('\n').slice(0, -1);
      if (expected.at(-1) === '…') {
        expected.pop();
        assert.ok(printed.length > expected.length, 'there are further lines');
        printed.length = expected.length;
      }
      printed = printed.map((line, index) => asExpected(line, expected[index]));
      assert.equal(stderr, '');
      assert.deepEqual(printed, expected);
      assert.equal(status, 0);
    });
  }

  for (const [table, rows] of idioms()) {
    test(`js/guide/coming-from.md: ${table} (${rows.length} idioms)`, async () => {
      assert.ok(rows.length >= 8);
      const results = await Promise.all(rows.map(({ code }) => run(code, folder, server.port)));
      results.forEach(({ status, stderr }, index) => {
        assert.equal(stderr, '', rows[index].text);
        assert.equal(status, 0, rows[index].text);
      });
    });
  }
});

/** The tables of idioms: what stands in the second column of each row, as a program that runs by itself. */
function idioms() {
  const page = guide['coming-from.md'];
  const frame = snippetsOf(page, '')[0].code;
  return [...page.matchAll(/^## (.*)$/gm)].flatMap(([, title]) => {
    const section = page.split(`\n## ${title}\n`)[1].split('\n## ')[0];
    if (!/^\|/m.test(section)) return [];
    const cells = tableUnder(page, title).map(([, cell]) => cell);
    // A row may say that there is nothing to write, or where to read on.
    const rows = cells.filter((cell) => cell.startsWith('`')).map((cell) => {
      const text = inBackticks(cell).join('\n');
      // What begins with the connection, its response or a constructor is what the frame leads up to.
      const needs = /\bresponse\b/.test(text) && !/\bresponse =/.test(text);
      const before = needs ? "await conn.request('GET', '/data.json');\nconst response = await conn.getresponse();\n" : '';
      return { text, code: withFrame(`${before}${text}\n`, frame) };
    });
    return [[title, rows]];
  });
}

test('the pool in 20 lines has 20 lines, and no more', () => {
  const [{ code }] = snippetsOf(guide['pool.md'], '');
  const [pool] = /^class Pool .*?^}$/ms.exec(code);
  assert.equal(pool.split('\n').filter((line) => line.trim() !== '').length, 20);
});

test('the commands of the README are scripts of the package, and stand in code blocks that can be copied', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => [...block.matchAll(/npm (?:run (\w+)|(test))/g)]);
  const names = commands.map(([, script, test]) => script ?? test);
  for (const name of ['demo', 'test', 'build']) assert.ok(names.includes(name), name);
  for (const name of names) assert.ok(name in scripts, name);
});

test('the README begins with five lines that run', () => {
  const [{ code }] = snippetsOf(readme, '');
  assert.equal(code.split('\n').filter((line) => line !== '' && !line.startsWith('//')).length, 5);
  assert.ok(readme.indexOf(code) < readme.indexOf('\n## '));
});

/** The cells of the table under a heading, row by row. */
function tableUnder(document, heading) {
  const section = document.split(new RegExp(`^#+ ${heading}$`, 'm'))[1];
  const rows = /(?:^\|.*\n)+/m.exec(section)[0].trimEnd().split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function inBackticks(cell) {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
}

/** The entries of errors.def as [class, code, text]. */
const entries = [
  ...readFileSync(join(root, 'src', 'include', 'porthole', 'errors.def'), 'utf8').matchAll(
    /^X\(\w+, -\d+, "(\w*)", "(\w*)", "(.*)"\)$/gm,
  ),
].map(([, className, code, text]) => ({ className, code, text }));

test('the table of errors has every class and code that the core raises', () => {
  const documented = new Set(
    tableUnder(manual, 'Errors').flatMap(([names, codes]) =>
      inBackticks(codes).map((code) => `${inBackticks(names)[0]} ${code}`),
    ),
  );
  // Classes of the system's errors are Node's own, and not in the table.
  const raised = entries.filter(
    ({ className, code }) => className !== '' && !(className === 'Error' && !code.startsWith('ERR_')),
  );
  assert.ok(raised.length > 50);
  for (const { className, code } of raised) assert.ok(documented.has(`${className} ${code}`), `${className} ${code}`);
});

/** The codes of porthole/host, whose classes are not exported. */
const hostCodes = new Set(
  readdirSync(join(root, 'js', 'host')).flatMap((file) => readFileSync(join(root, 'js', 'host', file), 'utf8').match(/ERR_HTTP_\w+/g) ?? []),
);

test('the table of errors has every code of porthole/host', () => {
  const documented = new Set(tableUnder(manual, 'Errors').flatMap(([, codes]) => inBackticks(codes)));
  assert.ok(hostCodes.size >= 5);
  for (const code of hostCodes) assert.ok(documented.has(code), code);
});

test('the table of errors has no code that nothing raises', () => {
  const codes = new Set([...entries.map(({ code }) => code), ...hostCodes]);
  for (const [names, cell] of tableUnder(manual, 'Errors')) {
    const [name] = inBackticks(names);
    for (const code of inBackticks(cell)) {
      assert.ok(
        codes.has(code) || exported.get(name)?.prototype.code === code || code === 'ERR_INVALID_ARG_TYPE',
        `${name} ${code}`,
      );
    }
  }
});

test('the table of errors has every error class that is exported', () => {
  const documented = tableUnder(manual, 'Errors').map(([names]) => inBackticks(names)[0]);
  const errors = [...exported].filter(([name, value]) => value?.prototype instanceof Error && name !== 'error');
  assert.ok(errors.length >= 16);
  for (const [name] of errors) assert.ok(documented.includes(name), name);
});

test('the page on troubleshooting has every code of the table of errors, and every hint for a code', () => {
  const codes = tableUnder(manual, 'Errors').flatMap(([, cell]) => inBackticks(cell));
  const source = readFileSync(join(root, 'js', 'watch', 'hints.js'), 'utf8');
  const table = /^const hints = \{\n(.*?)^\};/ms.exec(source)[1];
  const hinted = [...table.matchAll(/^ {2}(?:'([^']+)'|(\w+)):/gm)].map(([, text, code]) => text ?? code).filter((name) => name !== '__proto__');
  assert.ok(codes.length > 25 && hinted.length > 30);
  const explained = new Set(
    [...guide['troubleshooting.md'].matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell]) => inBackticks(cell)),
  );
  for (const code of [...codes, ...hinted]) assert.ok(explained.has(code), code);
});

test('the short table of errors names exported classes only', () => {
  for (const [names] of tableUnder(readme, 'Errors')) {
    for (const name of inBackticks(names)) assert.ok(exported.has(name) || name === 'TypeError', name);
  }
});

test('both tables of limits hold the defaults of the core', () => {
  const table = readFileSync(join(root, 'src', 'include', 'porthole', 'limits.def'), 'utf8');
  const defaults = Object.fromEntries(
    [...table.matchAll(/^X\((\w+), \d+, "\w+", (\d+), /gm)].map(([, name, value]) => [name, Number(value)]),
  );
  const order = ['LINE', 'HEADERS', 'HEAD', 'INTERIM', 'TRAILERS', 'CHUNK_EXTENSION'];
  for (const [document, heading] of [
    [readme, 'Security'],
    [manual, 'Limits'],
  ]) {
    const rows = tableUnder(document, heading).filter(([, cell]) => cell !== 'none');
    const limits = rows.map(([, cell]) => Number(/^[\d ]+/.exec(cell)[0].replaceAll(' ', '')));
    assert.deepEqual(
      limits,
      order.map((name) => defaults[name]),
    );
  }
});

test('links within the repository lead to files and headings that are there', () => {
  const documents = readdirSync(root).flatMap(function below(path) {
    if (/(^|\/)(node_modules|build|\..*)$/.test(path)) return [];
    if (path.endsWith('.md')) return [path];
    return statSync(join(root, path)).isDirectory() ? readdirSync(join(root, path)).flatMap((name) => below(`${path}/${name}`)) : [];
  });
  assert.ok(documents.length >= 12);
  for (const path of documents) {
    const file = join(root, path);
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [to, fragment] = target.split('#');
      const linked = to === '' ? file : join(dirname(file), to);
      assert.ok(existsSync(linked), `${path}: ${target}`);
      if (fragment !== undefined)
        assert.ok(anchorsOf(readFileSync(linked, 'utf8')).includes(fragment), `${path}: ${target}`);
    }
  }
});

/** The anchors of headings, as GitHub makes them. */
function anchorsOf(document) {
  return [...document.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
