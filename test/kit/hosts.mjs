// SPDX-License-Identifier: MIT
//
// The hosts that the kit is run against: a command for each, or what is missing for it.

import { GO_HOST, noGo } from '../support/go.mjs';
import { PYTHON_HOST, noPython } from '../support/python.mjs';

const RULED = ['--rules', '{rules}', '--ca', '{ca}', '{guest}'];

/**
 * Hosts that run a guest as WebAssembly, with rules and TLS.
 * @type {Record<string, { command: string[], missing: string | false }>}
 */
export const HOSTS = {
  wazero: { command: [...GO_HOST, ...RULED], missing: noGo() },
  Python: { command: [...PYTHON_HOST, ...RULED], missing: noPython() },
};
