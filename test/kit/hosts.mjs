// SPDX-License-Identifier: MIT
//
// The hosts that the kit is run against: a command for each, or what is missing for it.

import { PYTHON_HOST, noPython } from '../support/python.mjs';

const RULED = ['--rules', '{rules}', '--ca', '{ca}', '{guest}'];

/**
 * Hosts that run a guest as WebAssembly, with rules and TLS.
 * @type {Record<string, { command: string[], missing: string | false }>}
 */
export const HOSTS = {
  Python: { command: [...PYTHON_HOST, ...RULED], missing: noPython() },
};
