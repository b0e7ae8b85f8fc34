// SPDX-License-Identifier: MIT
//
// The thread that has the connections of a guest that runs in its caller's own (Host#imports).

import { parentPort, workerData } from 'node:worker_threads';
import { Desk } from '../../bindings/blocking/desk.js';
import { Account } from './account.js';
import { checkSettings } from './settings.js';

const { options, guest, port, bell, telling } = workerData;
const audit = telling ? (line) => parentPort.postMessage(line) : undefined;
const account = new Account(checkSettings({ ...options, audit }), guest, () => {});
const desk = new Desk(port, bell, account);
account.onexpired = (error) => desk.end(error);
port.on('close', () => {
  account.settle();
  parentPort.postMessage(null); // nothing more is told
});
port.ref(); // the thread lives as long as its caller is there
