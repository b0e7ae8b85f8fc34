// SPDX-License-Identifier: MIT
//
// `npm run build`: porthole.wasm, bindings/generated/, and what the package is loaded from, dist/js/ and dist/command/.
//
// The module is made by Emscripten, which is installed when that is possible, and else by the clang of npm's
// @yowasp/clang: the same sources, imports and exports. PORTHOLE_TOOLCHAIN=emscripten or =yowasp chooses one.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeBundles } from './bundle.mjs';
import { aptInstall, has, isRoot, npmInstall, root, run, runQuietly, say } from './setup.mjs';

const EMSCRIPTEN_PACKAGES = { emcc: 'emscripten', cmake: 'cmake', ninja: 'ninja-build' };

/** Makes sure of Emscripten, CMake and Ninja. @returns {boolean} false where they can't be had */
function findEmscripten() {
  const missing = Object.keys(EMSCRIPTEN_PACKAGES).filter((command) => !has(command));
  if (missing.length === 0) return true;
  const packages = missing.map((command) => EMSCRIPTEN_PACKAGES[command]);
  if (aptInstall(packages)) return true;
  const reason = isRoot ? 'apt-get could not install them' : 'installing them needs root rights';
  say(`Emscripten can't be had: ${missing.join(', ')} missing, and ${reason} (apt-get install ${packages.join(' ')})`);
  return false;
}

function buildWithEmscripten() {
  say('building porthole.wasm with Emscripten');
  runQuietly('cmake', ['--preset', 'emscripten']);
  runQuietly('cmake', ['--build', '--preset', 'emscripten']);
  return join(root, 'build', 'emscripten', 'porthole.wasm');
}

/** The sources as @yowasp/clang takes them: a tree of folders and texts. */
function sourceTree() {
  const source = (...path) => readFileSync(join(root, ...path), 'utf8');
  const include = {};
  for (const file of readdirSync(join(root, 'src', 'include', 'porthole'))) {
    include[file] = source('src', 'include', 'porthole', file);
  }
  const tree = { 'facade.c': source('bindings', 'wasm', 'facade.c') };
  for (const file of readdirSync(join(root, 'src'))) {
    if (/\.(c|h|def)$/.test(file)) tree[file] = source('src', file);
  }
  return { ...tree, porthole: include };
}

/** When the newest of the sources was changed. */
function newestSource() {
  const folders = ['src', join('src', 'include', 'porthole'), join('bindings', 'wasm')];
  const files = folders.flatMap((folder) => readdirSync(join(root, folder)).map((file) => join(root, folder, file)));
  files.push(join(root, 'bindings', 'exports.txt'), join(root, 'bindings', 'build.mjs'));
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

async function buildWithYowasp() {
  const wasm = join(root, 'build', 'yowasp', 'porthole.wasm');
  if ((statSync(wasm, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newestSource()) return wasm;
  npmInstall();
  say('building porthole.wasm with @yowasp/clang');
  const { runClang } = await import('@yowasp/clang');
  const tree = sourceTree();
  const exports = readFileSync(join(root, 'bindings', 'exports.txt'), 'utf8').trim().split('\n');
  const args = [
    'clang',
    '--target=wasm32-wasip1',
    '-std=c11',
    '-O3',
    '-msimd128',
    '-mbulk-memory',
    '-ffreestanding',
    '-nostdlib',
    '-I.',
    ...Object.keys(tree).filter((file) => file.endsWith('.c')),
    '-Wl,--no-entry,--allow-undefined,--initial-memory=131072,-z,stack-size=16384',
    ...exports.map((name) => `-Wl,--export=${name}`),
    '-o',
    'porthole.wasm',
  ];
  const output = [];
  const print = (bytes) => bytes !== null && output.push(Buffer.from(bytes));
  try {
    const files = await runClang(args, tree, { stdout: print, stderr: print });
    mkdirSync(join(root, 'build', 'yowasp'), { recursive: true });
    writeFileSync(wasm, files['porthole.wasm']);
  } catch (error) {
    throw new Error(`@yowasp/clang failed:\n${Buffer.concat(output)}`, { cause: error });
  }
  return wasm;
}

/** Builds porthole.wasm with what there is. @returns {Promise<string>} its path */
async function build() {
  const toolchain = process.env.PORTHOLE_TOOLCHAIN ?? '';
  if (!['', 'emscripten', 'yowasp'].includes(toolchain)) {
    throw new Error(`PORTHOLE_TOOLCHAIN must be emscripten or yowasp, not ${toolchain}`);
  }
  if (toolchain === 'yowasp') return buildWithYowasp();
  if (findEmscripten()) return buildWithEmscripten();
  if (toolchain === 'emscripten') throw new Error('PORTHOLE_TOOLCHAIN=emscripten, but it is not to be had');
  return buildWithYowasp();
}

try {
  const wasm = await build();
  run(process.execPath, [join(root, 'bindings', 'gen.mjs'), '--wasm', wasm]);
  say(`${statSync(wasm).size} bytes of porthole.wasm, and bindings/generated/, are up to date`);
  say(`${await makeBundles()} bytes of dist/js/ and dist/command/ are up to date`);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
