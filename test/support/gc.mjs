// SPDX-License-Identifier: MIT
//
// Garbage collection at will, in a process that was started without a flag for it.

import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');

/** Collects garbage, all of it. @type {() => void} */
export const gc = vm.runInNewContext('gc');
