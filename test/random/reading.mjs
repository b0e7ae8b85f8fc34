// SPDX-License-Identifier: MIT
//
// What the reads of one response may give: its bytes, in the order in which the reads began, to the end that its script has.

import { Buffer } from 'node:buffer';
import { IncompleteRead } from '../../js/index.js';
import { hasBody } from './answers.mjs';
import { difference } from './labels.mjs';

/** So many bytes of a label stand in one place only. */
const SAMPLE = 12;
const NEWLINE = 10;

/** How a body ends: 'end', 'cut' (known, so an error), 'fades' (a cut that may not be seen), 'unknown' (a reset). */
function endOf(request) {
  const { script, answer, label, method } = request;
  if (!hasBody(method, script.status)) return { ends: 'end', size: 0 };
  if (script.echo) return { ends: 'end', size: label.size };
  const { fault } = script;
  const open = script.framing === 'close' || script.framing === 'http10';
  if (fault?.kind === 'cut') {
    const size = answer.bodyAt(Math.floor(fault.at * answer.end));
    if (fault.how === 'rst') return { ends: 'unknown', size };
    return { ends: open ? 'fades' : 'cut', size };
  }
  if (fault?.kind === 'stall') return { ends: 'unknown', size: answer.bodyAt(Math.floor(fault.at * answer.end)) };
  if (answer.broken) return { ends: script.after === 'rst' ? 'unknown' : 'cut', size: answer.bodyAt(answer.end) };
  return { ends: script.after === 'rst' ? 'unknown' : 'end', size: label.size };
}

/** One read that was begun. */
export class Read {
  settled = false;
  outcome = null;
  turn = 0;

  /**
   * @param {string} how
   * @param {number} amount -1 for all
   * @param {Uint8Array | null} view of a readinto
   */
  constructor(how, amount, view = null) {
    this.how = how;
    this.amount = amount;
    this.view = view;
    this.size = view === null ? 0 : view.length;
  }
}

export class Reading {
  /** The next byte that a read gives. */
  position = 0;
  /** How far it may have gone when a read into memory that went away took some with it. */
  slack = 0;
  /** What the body failed with. */
  failure = null;
  #queue = [];
  #request;
  #model;
  #label;
  #size;

  /**
   * @param {import('./model.mjs').Request} request
   * @param {import('./model.mjs').Model} model
   */
  constructor(request, model) {
    const { ends, size } = endOf(request);
    this.ends = ends;
    this.limited = request.connection.limited;
    this.#size = size;
    this.#request = request;
    this.#model = model;
    this.#label = request.label;
    if (size === 0 && !hasBody(request.method, request.script.status)) this.#label = request.nothing;
  }

  get pending() {
    return this.#queue.some((read) => !read.settled);
  }

  /** Have all bytes been read that there are? */
  get exhausted() {
    return this.position >= this.#size;
  }

  begin(read) {
    this.#queue.push(read);
  }

  /** A read has settled. What it gave is judged when all that began before it have settled too. */
  settle(read, outcome) {
    read.settled = true;
    read.outcome = outcome;
    const before = this.#queue.slice(0, this.#queue.indexOf(read)).filter((one) => !one.settled);
    if (before.length > 0) {
      setImmediate(() => {
        const late = before.find((one) => !one.settled);
        if (late !== undefined) this.#fail('read-order', `${read.how} was done before ${late.how}, which had begun earlier`);
      });
    }
    while (this.#queue[0]?.settled) {
      const next = this.#queue.shift();
      if ('error' in next.outcome) this.#judgeError(next, next.outcome.error);
      else this.#judge(next, next.outcome.value);
    }
  }

  #fail(kind, text) {
    this.#model.report(kind, `${this.#request.name}: ${text}`);
  }

  #judge(read, bytes) {
    if (bytes === null) {
      this.position += read.count; // memory that went away before it could be looked at
      return;
    }
    if (this.slack > 0 && bytes.length === 0) return; // what is left may have gone into the memory that went away
    if (this.slack > 0 && bytes.length < SAMPLE) {
      if (read.how !== 'peek') this.position += bytes.length; // too few to tell where they are from
      return;
    }
    if (this.slack > 0) this.#resync(bytes);
    const wrong = difference(bytes, this.#label, this.position, this.#model.labels());
    if (wrong !== null) {
      this.#fail('read-bytes', `${read.how}(${read.amount}): ${wrong}`);
      return;
    }
    if (read.how !== 'peek') this.position += bytes.length;
    const short = this.#tooShort(read, bytes);
    if (short !== null && !this.#mayEndEarly(bytes)) this.#fail('read-size', short);
  }

  #resync(bytes) {
    for (let skip = 0; skip <= this.slack; skip++) {
      if (!this.#label.matches(bytes, this.position + skip)) continue;
      this.position += skip;
      break;
    }
    this.slack = 0;
  }

  /** Is it right that there are no more bytes than these? */
  #mayEndEarly(bytes) {
    const { events } = this.#request;
    if (bytes.length === 0 && (events.closed || events.detached)) return true; // of a response that was closed
    if (this.failure !== null) return true;
    if (events.closed || events.broken || this.#request.connection.limited || this.#resetBehind) return bytes.length > 0; // what had come before
    return false;
  }

  /** Says what is missing, or null. */
  #tooShort({ how, amount, size }, bytes) {
    const at = how === 'peek' ? this.position + bytes.length : this.position;
    const atEnd = at === this.#size && (this.ends === 'end' || this.#whole);
    const atCut = at === this.#size && this.ends !== 'end';
    const text = `${how}(${amount}) gave ${bytes.length} bytes and the body stands at ${at} of ${this.#label.size}`;
    if (how === 'rest') {
      if (atEnd || (atCut && this.ends === 'fades') || (this.ends === 'unknown' && this.#openEnded)) return null;
      return `${text}, but was to give all of it`;
    }
    const wanted = how === 'readinto' ? size : amount;
    if (how === 'read' || how === 'readinto') {
      if (bytes.length > wanted) return `${text}: too many`;
      if (bytes.length === wanted || atEnd) return null;
      if (bytes.length === 0 && this.ends === 'cut') return `${text}: the cut of the body is not told`;
      return atCut || this.ends === 'unknown' || this.limited ? null : `${text}, but was to fill it`; // a limit is told by the next read
    }
    if (wanted >= 0 && bytes.length > wanted) return `${text}: too many`;
    if (how === 'line') return this.#lineTooShort(bytes, wanted, atEnd, atCut, text);
    if (bytes.length > 0 || wanted === 0 || atEnd) return null;
    if (how === 'peek' || this.ends === 'fades') return atCut || this.ends === 'unknown' ? null : `${text}: nothing`;
    return this.ends === 'unknown' && this.#openEnded ? null : `${text}: nothing, as if the body had ended`;
  }

  #lineTooShort(bytes, wanted, atEnd, atCut, text) {
    const newline = bytes.indexOf(NEWLINE);
    if (newline >= 0 && newline < bytes.length - 1) return `${text}: more than a line`;
    if (newline >= 0 || bytes.length === wanted || atEnd) return null;
    if (bytes.length === 0 && this.ends === 'cut') return `${text}: the cut of the body is not told`;
    return atCut || this.ends === 'unknown' ? null : `${text}: no whole line`;
  }

  /** Can a reset behind another answer, asked for before this body was read, have taken what was in the kernel? */
  get #resetBehind() {
    const { connection } = this.#request;
    return connection.requests.some((other) => other !== this.#request && (other.script.after === 'rst' || other.script.fault?.how === 'rst'));
  }

  /** Has all of it been sent, whatever happened to the connection afterwards? */
  get #whole() {
    const { fault, after } = this.#request.script;
    return after === 'rst' && fault?.kind !== 'cut' && fault?.kind !== 'stall' && !this.#request.answer.broken;
  }

  /** Does the end of the connection end the body? */
  get #openEnded() {
    const { framing } = this.#request.script;
    return framing === 'close' || framing === 'http10';
  }

  #judgeError(read, error) {
    const first = this.failure === null;
    if (read.gone) {
      const written = /: (\d+) bytes had been written to it$/.exec(error.message);
      if (written !== null) this.position += Number(written[1]);
      else this.slack = Math.max(this.slack, read.size);
      if (first && !(error instanceof IncompleteRead)) {
        this.failure = this.#request.events.broken ? error : null;
        return;
      }
    }
    const wrong = this.#model.wrongError(this.#request, error, 'read');
    if (wrong !== null) this.#fail(wrong.kind, `${read.how}(${read.amount}) at ${this.position}: ${wrong.text}`);
    if (!first) return;
    if (error?.code?.startsWith('ERR_INVALID')) return;
    this.failure = error;
    if (error instanceof IncompleteRead) this.#judgePartial(error);
  }

  #judgePartial(error) {
    const partial = Buffer.isBuffer(error.partial) ? error.partial : null;
    if (partial === null) {
      this.#fail('partial', `an IncompleteRead without the bytes that came, at ${this.position}`);
      return;
    }
    if (this.slack > 0) return;
    const wrong = difference(partial, this.#label, this.position, this.#model.labels());
    if (wrong !== null) this.#fail('partial', `the partial of an IncompleteRead: ${wrong}`);
    const { events } = this.#request;
    const lone = !events.closed && !events.broken && !events.aborted && !events.detached;
    const stands = this.position + partial.length;
    if (lone && this.ends === 'cut' && stands !== this.#size) {
      this.#fail('partial', `an IncompleteRead with the bytes up to ${stands}, where ${this.#size} came`);
    }
    if (lone && this.ends === 'cut' && this.#request.script.framing === 'length' && error.expected !== this.#label.size - stands) {
      this.#fail('partial', `an IncompleteRead expects ${error.expected} more, at ${stands} of ${this.#label.size}`);
    }
  }
}
