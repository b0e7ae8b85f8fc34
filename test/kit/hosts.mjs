// SPDX-License-Identifier: MIT
//
// The hosts that the kit is run against: a command for each, or what is missing for it.

import { join } from 'node:path';
import { root } from '../../bindings/setup.mjs';
import { GO_HOST, noGo } from '../support/go.mjs';
import { PYTHON_HOST, noPython } from '../support/python.mjs';

const RULED = ['--rules', '{rules}', '--ca', '{ca}', '{guest}'];

/**
 * Hosts that run a guest as WebAssembly, with rules and TLS; and how many kilobytes their memory may grow by, where collecting
 * garbage takes its time.
 * @type {Record<string, { command: string[], missing: string | false, spare: number }>}
 */
export const HOSTS = {
  Node: { command: [process.execPath, join(root, 'demo', 'hosts', 'node', 'run.mjs'), ...RULED], missing: false, spare: 32768 },
  wazero: { command: [...GO_HOST, ...RULED], missing: await noGo(), spare: 8192 },
  Python: { command: [...PYTHON_HOST, ...RULED], missing: await noPython(), spare: 4096 },
};
