// SPDX-License-Identifier: MIT
//
// What counts for the whole process: rejections that nobody handles, exceptions, warnings, memory that was given to nobody.

import { textOf } from './model.mjs';

const BYSTANDERS = 24;
const SIZE = 65_536;
const FILL = 0x5a;

export class Watch {
  /** Sequences that are being played, by their ports. @type {Map<number, import('./play.mjs').Play>} */
  playing = new Map();
  /** What could not be said whose it is. */
  stray = [];
  #memory = Array.from({ length: BYSTANDERS }, () => new Uint8Array(SIZE).fill(FILL));
  #left = 0;
  #on = [
    ['unhandledRejection', (reason) => this.#tell('unhandled', 'a rejection that nobody could handle', reason)],
    ['uncaughtException', (error) => this.#tell('uncaught', 'an exception that nobody could catch', error)],
    ['warning', (warning) => this.#tell('warning', 'a warning', warning)],
  ];

  start() {
    for (const [event, listener] of this.#on) process.on(event, listener);
  }

  stop() {
    for (const [event, listener] of this.#on) process.off(event, listener);
  }

  /** The port that an error carries tells its sequence; if it has none, all are asked whose the object is. */
  #tell(kind, what, error) {
    const text = `${what}: ${textOf(error)}`;
    const owner =
      this.playing.get(error?.port) ??
      [...this.playing.values()].find((play) => play.connections.some((connection) => connection.foreign.has(error)));
    if (owner !== undefined) owner.report(kind, text);
    else if (this.playing.size === 1) [...this.playing.values()][0].report(kind, text);
    else this.stray.push({ kind, text, plays: [...this.playing.values()] });
  }

  /** What holds when nothing is being played. */
  atRest() {
    const changed = this.#memory.filter((bytes) => bytes.some((byte) => byte !== FILL));
    for (const bytes of changed) {
      this.stray.push({ kind: 'memory', text: 'memory that was given to nobody has changed', plays: [] });
      bytes.fill(FILL);
    }
    const active = process.getActiveResourcesInfo().filter((name) => /^(Timeout|TCP|TLS|Immediate)/.test(name));
    const more = active.length - this.#left;
    this.#left = active.length; // it is told once
    if (more > 0) this.stray.push({ kind: 'active', text: `what keeps the process running is left, ${more} of ${active.join(', ')}`, plays: [] });
  }
}
