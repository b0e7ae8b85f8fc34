// SPDX-License-Identifier: MIT
//
// Who knows whom: the layers of the JavaScript and of the C sources, by what each file imports or includes.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The layers, from the caller down: a file imports of its own layer and of those below it. The first that fits counts. */
const LAYERS = [
  ['js/index.js', 'js/host.js', 'js/command/'],
  ['js/host/'],
  ['js/api/'],
  ['js/request/'],
  ['js/engine/'],
  ['js/watch/'],
  ['js/errors.js', 'js/refusal.js'],
  ['bindings/blocking/'],
  ['bindings/wasm/', 'bindings/node/', 'bindings/wasi/'],
  ['bindings/generated/'],
];
const LINES_MAX = 600;

/** The files below a folder, as paths from the root. */
function filesIn(folder, endings) {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.test(entry.name))
    .map((entry) => posix.join((entry.parentPath ?? entry.path).slice(root.length).replaceAll('\\', '/'), entry.name))
    .sort();
}

const textOf = (path) => readFileSync(`${root}${path}`, 'utf8');

/** Without comments. What looks like one in a string only hides more of the line, and no import is in a string. */
const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(?<=^|\s)\/\/.*$/gm, '');

/** What a JavaScript file imports: statically, again for export, and when it runs. */
function importsOf(path) {
  const pattern = /^(?:import|export)\b[^;'"=()]*\bfrom\s*'([^']+)'|^import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;
  return [...withoutComments(textOf(path)).matchAll(pattern)].map(([, ...names]) => names.find((name) => name !== undefined));
}

/** The files of the package that each file imports. @type {Map<string, string[]>} */
const imports = new Map(
  [...filesIn('js', /\.js$/), ...filesIn('bindings', /\.js$/)].map((path) => [
    path,
    importsOf(path)
      .filter((name) => name.startsWith('.'))
      .map((name) => posix.join(posix.dirname(path), name)),
  ]),
);

const layerOf = (path) => LAYERS.findIndex((layer) => layer.some((place) => path === place || (place.endsWith('/') && path.startsWith(place))));

/** A way from a file back to itself, or null. @param {Map<string, string[]>} graph */
function circleIn(graph) {
  const done = new Set();
  const walk = (file, way) => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const next of graph.get(file) ?? []) {
      const circle = walk(next, [...way, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const circle = walk(file, []);
    if (circle !== null) return circle.join(' → ');
  }
  return null;
}

test('every JavaScript file of the package is in a layer, and what it imports is there', () => {
  assert.ok(imports.size > 40, `${imports.size} files`);
  for (const [path, targets] of imports) {
    assert.notEqual(layerOf(path), -1, path);
    for (const target of targets) assert.ok(imports.has(target), `${path} → ${target}`);
  }
  assert.ok([...imports.values()].flat().length > 150, 'imports are found');
});

test('no JavaScript file imports of a layer above its own', () => {
  const back = [...imports].flatMap(([path, targets]) =>
    targets.filter((target) => layerOf(target) < layerOf(path)).map((target) => `${path} → ${target}`),
  );
  assert.deepEqual(back, []);
});

test('no JavaScript files import each other in a circle', () => {
  assert.equal(circleIn(imports), null);
});

test('bindings/wasm and bindings/node know nothing of each other, and bindings/wasm nothing of Node', () => {
  for (const [path, targets] of imports) {
    if (path.startsWith('bindings/wasm/')) {
      assert.deepEqual(importsOf(path).filter((name) => !name.startsWith('.')), [], path);
      // What of Node is only faster may be used where it is there.
      const code = withoutComments(textOf(path)).replace(/^.*typeof Buffer === 'function'.*$/m, '');
      assert.doesNotMatch(code, /\b(?:Buffer|process|setImmediate|require)\b/, path);
    }
    for (const target of targets) {
      const pair = [path, target].map((file) => /^bindings\/(wasm|node)\//.exec(file)?.[1]);
      if (pair.every((side) => side !== undefined)) assert.equal(pair[0], pair[1], `${path} → ${target}`);
    }
  }
});

test('only bindings/wasm knows the words of the ABI', () => {
  // gen.mjs writes bindings/generated/.
  const files = ['js', 'bindings', 'demo'].flatMap((folder) => filesIn(folder, /\.m?js$/));
  const others = files.filter((path) => !/^bindings\/(?:wasm\/|generated\/|gen\.mjs$)/.test(path));
  assert.ok(others.length > 40 && others.length < files.length);
  const knowing = (paths) => paths.filter((path) => /\bVIEW_|porthole_(?:conn|flat)_/.test(textOf(path)));
  assert.deepEqual(knowing(others), []);
  assert.ok(knowing(files).includes('bindings/wasm/connection.js'), 'the words are found where they are');
});

test('the sources of the core include each other in no circle', () => {
  const files = filesIn('src', /\.(?:c|h|def)$/);
  const within = (path, name) => [posix.join(posix.dirname(path), name), `src/${name}`, `src/include/${name}`].find((file) => files.includes(file));
  const includes = new Map(
    files.map((path) => [path, [...textOf(path).matchAll(/^\s*#\s*include\s*["<]([^">]+)[">]/gm)].map(([, name]) => within(path, name)).filter(Boolean)]),
  );
  assert.ok([...includes.values()].flat().length > 25, 'includes are found');
  assert.equal(circleIn(includes), null);
});

test('no source file of the core includes the file of another', () => {
  for (const path of filesIn('src', /\.(?:c|h)$/)) assert.doesNotMatch(textOf(path), /#\s*include\s*["<][^">]+\.c[">]/, path);
});

test(`no source file has more than ${LINES_MAX} lines`, () => {
  const files = ['src', 'bindings', 'js', 'demo'].flatMap((folder) => filesIn(folder, /\.(?:c|h|def|m?js|cjs|ts|cts|py)$/));
  const sources = files.filter((path) => !path.startsWith('bindings/generated/'));
  const long = sources.map((path) => [path, textOf(path).split('\n').length - 1]).filter(([, lines]) => lines > LINES_MAX);
  assert.deepEqual(long, []);
});
