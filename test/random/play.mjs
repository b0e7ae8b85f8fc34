// SPDX-License-Identifier: MIT
//
// Plays one sequence: a peer, connections to it, operations one after the other or at once, and what must hold at the end.

import { getEventListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { acts, setHooksOff } from './acts.mjs';
import { hasBody } from './answers.mjs';
import { BOUND, PATIENCE, TURN_MAX } from './bounds.mjs';
import { Guards } from './guards.mjs';
import { Connection, Model, Request, textOf } from './model.mjs';
import { open } from './open.mjs';
import { Peer } from './peer.mjs';
import { reads } from './reads.mjs';
import { CLEAN, requests } from './requests.mjs';

const HANDLERS = { ...requests, ...reads, ...acts };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An operation under way. */
class Task {
  settled = false;
  closed = false; // the connection was closed after it began
  constructor(name, connection, waits) {
    this.name = name;
    this.connection = connection;
    this.waits = waits;
  }
}

export class Play {
  findings = [];
  log = [];
  signals = new Map();
  requests = [];
  guards = new Guards();
  connections = [];
  own = new Set(); // sockets that the hook made
  given = []; // sockets that the connections gave away
  tasks = new Set();
  stopped = false;
  port = 0;

  /**
   * @param {{connections: object[], operations: object[]}} plan
   * @param {number[]} sequence its seed and number
   */
  constructor(plan, sequence) {
    this.plan = plan;
    this.sequence = sequence;
    const report = (kind, text) => this.report(kind, text);
    this.peer = new Peer(report);
    /** Settled when the port is known. */
    this.listening = this.peer.listen().then((port) => {
      this.port = port;
    });
    this.model = new Model(report, () => this.peer.labels());
  }

  report(kind, text) {
    if (this.findings.some((one) => one.kind === kind && one.text === text)) return;
    this.findings.push({ kind, text });
    this.say(`!! ${kind}: ${text}`);
  }

  say(text) {
    this.log.push(text);
  }

  async run() {
    await this.listening;
    try {
      for (const options of this.plan.connections) {
        const connection = new Connection();
        this.connections.push(connection);
        await open(this, connection, options);
      }
      for (const op of this.plan.operations) {
        if (this.stopped) break;
        await HANDLERS[op.kind](this, op, this.connections[op.connection ?? 0]);
      }
      await this.#finish();
    } catch (error) {
      this.report('harness', `${error.stack}`);
    } finally {
      for (const connection of this.connections) setHooksOff(this, connection);
      for (const socket of this.given) socket.destroy();
      for (const { source } of this.requests) await source?.close();
      await this.peer.close();
    }
    return this.findings;
  }

  /** A request that a callback makes. */
  nested(connection) {
    const op = { id: 5000 + this.requests.length, method: 'GET', script: CLEAN };
    const request = new Request(op, this.sequence, connection);
    this.requests.push(request);
    connection.requests.push(request);
    this.peer.add(request);
    return request;
  }

  // ---- operations under way ----

  /**
   * Follows a promise of the API to its end.
   *
   * @param {string} name
   * @param {Connection} connection
   * @param {() => Promise<unknown>} call
   * @param {{ok: (value: any) => void, failed: (error: any) => void, waits: () => boolean}} outcome `waits` tells whether it
   *   may wait for ever
   * @returns {Task}
   */
  follow(name, connection, call, { ok, failed, waits }) {
    let promise;
    try {
      promise = call();
      if (typeof promise?.then !== 'function') {
        this.report('no-promise', `${name} gave no promise`);
        promise = Promise.resolve(promise);
      }
    } catch (error) {
      this.report('sync-throw', `${name} threw instead of rejecting: ${textOf(error)}`);
      promise = Promise.reject(error);
    }
    const task = new Task(name, connection, waits);
    this.tasks.add(task);
    const end = (act, what, value) => {
      task.settled = true;
      this.tasks.delete(task);
      this.say(`   ${name} ${what}`);
      try {
        act(value);
      } catch (error) {
        this.report('harness', `${name}: ${error.stack}`);
      }
    };
    task.done = promise.then(
      (value) => end(ok, 'done', value),
      (error) => end(failed, `failed: ${textOf(error)}`, error),
    );
    return task;
  }

  /** Waits for an operation, or leaves it under way when it may wait for ever. */
  async settle(task) {
    let patience = PATIENCE;
    let waited = 0;
    while (!task.settled) {
      const before = performance.now();
      let timer;
      const timeout = new Promise((resolve) => {
        timer = setTimeout(resolve, 5);
      });
      await Promise.race([task.done, timeout]);
      clearTimeout(timer);
      if (task.settled) return;
      waited += Math.min(performance.now() - before, TURN_MAX);
      if (!task.closed && task.waits()) {
        patience -= performance.now() - before;
        if (patience <= 0) {
          this.say(`   ${task.name} is left under way`);
          return;
        }
      } else if (waited > BOUND) {
        this.report('hang', `${task.name} does not end${this.#where(task.connection)}`);
        this.stopped = true;
        return;
      }
    }
  }

  /** Which side of a connection that hangs has not seen what the other one sent? */
  #where({ api }) {
    const { sock } = api;
    if (sock === null) return ': there is no socket';
    return `: its socket has read ${sock.bytesRead} bytes and written ${sock.bytesWritten}; the peer's ${this.peer.described()}`;
  }

  /** The connection was closed: all that is under way on it has to end. */
  closing(connection) {
    for (const task of this.tasks) if (task.connection === connection) task.closed = true;
  }

  /** Waits until something holds. */
  async until(holds, ms = BOUND) {
    let waited = 0;
    while (!holds()) {
      if (waited > ms) return false;
      const before = performance.now();
      await pause(2);
      waited += Math.min(performance.now() - before, TURN_MAX);
    }
    return true;
  }

  // ---- the end ----

  async #finish() {
    this.say('-- end');
    for (const connection of this.connections) setHooksOff(this, connection);
    if (!this.stopped) await this.#uploadsEnd();
    for (const connection of this.connections) HANDLERS.close(this, {}, connection);
    this.peer.release();
    if (!(await this.until(() => this.tasks.size === 0))) {
      for (const task of this.tasks) this.report('hang', `${task.name} does not end after close()`);
      return; // it would be told again
    }
    for (const socket of this.given) socket.destroy();
    await this.#nothingOpen('after close()');
    this.peer.serve();
    this.#trailers();
    for (const connection of this.connections) await this.#usable(connection);
    await this.#nothingOpen('after the last request');
    await this.#lent();
  }

  /** What a 2xx answers early still goes out to its end. */
  async #uploadsEnd() {
    for (const request of this.requests) {
      const { script, events, seen, response, source } = request;
      const wanted = script.when !== 'end' && script.status < 400 && !script.close && !request.spoils && script.reads !== 'never';
      const calm = !events.closed && !events.broken && !events.aborted && !events.detached && events.failures.size === 0;
      const { timed, limited, state } = request.connection; // what is too large for its limits ends the connection
      const alone = request.op.deadline === undefined && !timed && !limited && state !== 'unknown';
      if (!wanted || !calm || !alone || !response?.isclosed() || source === null || !source.ends || source.error !== null) continue;
      if (request.op.misfit || (request.op.expect && script.expect !== 'continue')) continue;
      if (await this.until(() => seen.complete)) continue;
      this.report('upload-cut', `${request.name} was answered with ${script.status}, and ${seen.received} of ${request.upload.size} bytes came`);
    }
  }

  async #nothingOpen(when) {
    if (await this.until(() => this.peer.open === 0)) return;
    this.report('sockets-left', `${this.peer.open} connections stay open at the server ${when}`);
    this.peer.drop();
  }

  #trailers() {
    for (const { script, reading, response, name, method } of this.requests) {
      if (!hasBody(method, script.status) || script.echo || !script.trailers || script.framing !== 'chunked' || script.fault !== null || reading?.failure !== null) continue;
      if (!reading.exhausted || reading.ends !== 'end' || !reading.endSeen) continue;
      const value = response.trailers.get('x-sum');
      if (value !== String(script.size)) this.report('trailers', `${name}: the trailer is ${value}, not ${script.size}`);
    }
  }

  /** Whatever was done, a connection can be used again. */
  async #usable(connection) {
    const op = { id: 9000 + this.connections.indexOf(connection), clean: true };
    const problem = await HANDLERS.clean(this, op, connection);
    if (problem !== null) this.report('unusable', `after close() a clean request fails: ${problem}`);
    connection.api.close();
  }

  /** What was lent is given back: listeners, streams, memory. */
  async #lent() {
    for (const [name, { controller }] of this.signals) {
      const count = getEventListeners(controller.signal, 'abort').length;
      if (count > 0) this.report('listeners-left', `${count} listeners are left on the signal ${name}`);
    }
    for (const { source, seen, name, op } of this.requests) {
      if (source === null || seen === null || (await this.until(() => source.released, 5000))) continue;
      this.report('source-left', `the ${op.body} that was the body of ${name} is left open`);
    }
    for (const { source, name } of this.requests) {
      if (source?.starved) this.report('starved', `the pieces of the body of ${name} kept the event loop from turning`);
    }
    for (const text of this.guards.changed()) this.report('memory', text);
  }
}
