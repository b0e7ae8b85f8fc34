// SPDX-License-Identifier: MIT
//
// Components as modules of JavaScript.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tool, toolsFolder } from '../../bindings/wasi/tools.mjs';

/**
 * Transpiles a component by jco.
 *
 * @param {string} component its path
 * @param {string} name of the module that is made, NAME.js
 * @param {string} folder for it, which is there, and empty
 */
export async function transpile(component, name, folder) {
  const jco = await tool('@bytecodealliance/jco-transpile');
  const { files } = await jco.transpile(component, { name, outDir: folder });
  for (const file in files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, files[file]);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(toolsFolder, 'node_modules'), join(folder, 'node_modules'));
}
