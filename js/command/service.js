// SPDX-License-Identifier: MIT
//
// What has the command's connections, for its program in another thread.

import { Desk } from '../../bindings/blocking/desk.js';
import { Keeper } from './keeper.js';

/** Begins to serve a caller. @param {import('node:worker_threads').MessagePort} port @param {SharedArrayBuffer} bell */
export function serve(port, bell) {
  const keeper = new Keeper();
  new Desk(port, bell, keeper);
  return keeper;
}
