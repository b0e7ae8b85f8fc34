// SPDX-License-Identifier: MIT
//
// Makes what the package is loaded from: dist/js/, the library, and dist/command/, the command, out of js/ and bindings/.
//
// A module of ES takes half a millisecond to load, whatever is in it, and the library has fifty. In dist/js/, what several
// entries share is a file of its own: a class is there once, whatever a program imports. Threads have their entries, and
// what is imported when it is needed stays apart. Nothing is renamed and lines stay lines, so that stack traces can be read.

import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { npmInstall, replaceFile, root } from './setup.mjs';

const LICENSE = '// SPDX-License-Identifier: MIT\n// Written by bindings/bundle.mjs.';

/** What is made in one go, out of which files. Files of one go share what they have in common, where they are modules of ES. */
const BUNDLES = [
  { folder: 'dist/js', format: 'esm', entries: ['js/index.js', 'js/host.js', 'js/host/thread.js'] },
  // Apart from the rest, with which it shares no realm: it is one file to load when a guest starts.
  { folder: 'dist/js', format: 'esm', entries: ['bindings/blocking/worker.js'] },
  // CommonJS starts sooner, and each thread of the command loads its own.
  { folder: 'dist/command', format: 'cjs', entries: ['porthole', 'guest', 'program', 'service'].map((name) => `js/command/${name}.js`) },
];

const ENDINGS = { esm: '.js', cjs: '.cjs' };
const IN_COMMONJS = { 'import.meta.url': 'importMetaUrl' };
const COMMONJS = "'use strict';\nconst importMetaUrl = require('node:url').pathToFileURL(__filename).href;";

/** Where an entry goes, or undefined for a file that is none. @type {(path: string) => string | undefined} */
const placeOf = (path) => {
  const bundle = BUNDLES.find(({ entries }) => entries.includes(path));
  return bundle && `${bundle.folder}/${basename(path, '.js')}${ENDINGS[bundle.format]}`;
};

const fromRoot = (path) => relative(root, path).replaceAll('\\', '/');

/** Lets what a source names by its place be found from where it is bundled: threads, and files that are read. */
function places({ folder, format, entries }) {
  const from = (path) => {
    const way = relative(folder, path).replaceAll('\\', '/');
    return way.startsWith('.') ? way : `./${way}`;
  };
  return {
    name: 'places',
    setup(build) {
      build.onLoad({ filter: /\.js$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replace(/\bnew URL\('(\.[^']+)', import\.meta\.url\)/g, (_, name) => {
          const target = fromRoot(resolve(dirname(path), name));
          return `new URL('${from(placeOf(target) ?? target)}', import.meta.url)`;
        }),
      }));
      if (format === 'esm') return; // has files of its own for what is imported when it is needed
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const target = fromRoot(resolve(resolveDir, path));
        return kind === 'dynamic-import' && entries.includes(target) ? { path: from(placeOf(target)), external: true } : undefined;
      });
    },
  };
}

/** A class that mentions itself is made a class of another name in a variable of its name: it gets its name back. */
function ownNames(text) {
  const names = [...text.matchAll(/^\s*(?:var )?(\w+) = class _\1\b/gm)].map(([, name]) => name);
  return names.length === 0 ? text : text.replace(new RegExp(`(?<![\\w$])_(${names.join('|')})(?![\\w$])`, 'g'), '$1');
}

/** Makes one of them. @returns {Promise<Array<{ path: string, text: string }>>} */
async function bundled(esbuild, { folder, format, entries }) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: folder,
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    outExtension: { '.js': ENDINGS[format] },
    bundle: true,
    splitting: format === 'esm',
    format,
    platform: 'node',
    target: 'node20.19',
    // What is imported when it is needed is required then.
    supported: { 'dynamic-import': format === 'esm' },
    define: format === 'cjs' ? IN_COMMONJS : {},
    banner: { js: format === 'cjs' ? `${LICENSE}\n${COMMONJS}` : LICENSE },
    plugins: [places({ folder, format, entries })],
    logLevel: 'silent',
    write: false,
  });
  return outputFiles.map(({ path, text }) => ({ path, text: ownNames(text) }));
}

/** Brings dist/js/ and dist/command/ up to date. A file that would not change is left alone. @returns {Promise<number>} how many bytes it has */
export async function makeBundles() {
  npmInstall();
  const esbuild = await import('esbuild');
  const files = (await Promise.all(BUNDLES.map((bundle) => bundled(esbuild, bundle)))).flat();
  for (const { path, text } of files) {
    replaceFile(path, text);
  }
  chmodSync(join(root, 'dist', 'command', 'porthole.cjs'), 0o755);
  const made = new Set(files.map(({ path }) => path));
  for (const folder of new Set([...made].map((path) => dirname(path)))) {
    for (const name of readdirSync(folder).filter((name) => /\.c?js$/.test(name))) {
      if (!made.has(join(folder, name))) rmSync(join(folder, name), { force: true });
    }
  }
  return files.reduce((all, { text }) => all + Buffer.byteLength(text), 0);
}
