// SPDX-License-Identifier: MIT
//
// The bytes of an answer that a script asks for, and what of its body has gone out by any byte of it.

import { Buffer } from 'node:buffer';
import { Random } from './random.mjs';

const GARBAGE = [
  'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '<html>\r\nnot a head\r\n\r\n',
  'HTTP/1.1 99 Too Few\r\n\r\n',
  'HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello',
  '\0\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\r\n\r\n',
];

/** The one that is garbage by its Content-Length alone. */
const FRAMING = 5;

/** What nobody asked for, behind a complete answer. */
const UNASKED = {
  response: 'HTTP/1.1 200 OK\r\nX-Id: planted\r\nContent-Length: 7\r\n\r\nplanted',
  408: 'HTTP/1.1 408 Request Timeout\r\nX-Id: planted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  bytes: 'planted',
  lineend: '\r\n',
};

/** Has an answer to this method and with this status a body? */
export function hasBody(method, status) {
  return method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
}

/**
 * The head of an answer.
 *
 * @param {object} script
 * @param {number} size of the body
 */
export function head(script, id, size) {
  const lines = [`HTTP/1.${script.framing === 'http10' ? 0 : 1} ${script.status} Status`, `X-Id: ${id}`];
  if (script.framing === 'length') lines.push(`Content-Length: ${size}`);
  if (script.framing === 'chunked') lines.push('Transfer-Encoding: chunked');
  if (script.close) lines.push('Connection: close');
  if (script.fault?.kind === 'headers') for (let i = 0; i < 120; i++) lines.push(`X-Much: ${i}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The interim answers before it. */
export function interims(script) {
  const count = script.fault?.kind === 'storm' ? 130 : script.interims;
  return Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n' : 'HTTP/1.1 102 Processing\r\n\r\n',
  );
}

/** A whole answer. */
export class Answer {
  #parts = [];
  #bodies = []; // [from, to, offset in the body]
  #length = 0;

  /**
   * @param {object} script
   * @param {string} id
   * @param {import('./labels.mjs').Label} label the body's bytes
   * @param {string} method of the request
   */
  constructor(script, id, label, method) {
    if (script.fault?.kind === 'garbage') {
      // What frames a body counts for nothing in an answer to HEAD: that is no garbage.
      const { which } = script.fault;
      this.#add(GARBAGE[method === 'HEAD' && which === FRAMING ? 0 : which % GARBAGE.length]);
      this.headFrom = 0;
      this.statusEnd = 0;
      this.headEnd = this.#length;
    } else {
      for (const interim of interims(script)) this.#add(interim);
      this.headFrom = this.#length;
      const text = head(script, id, label.size);
      this.statusEnd = this.headFrom + text.indexOf('\n') + 1;
      this.#add(text);
      this.headEnd = this.#length;
      if (hasBody(method, script.status)) this.#addBody(script, label);
    }
    /** Where the answer is complete. */
    this.end = this.#length;
    if (script.fault?.kind === 'unasked') this.#add(UNASKED[script.fault.what]);
    this.bytes = Buffer.concat(this.#parts);
    this.#parts = null;
  }

  /** Is its framing broken? */
  broken = false;

  #add(bytes) {
    const part = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    this.#parts.push(part);
    this.#length += part.length;
  }

  #addPiece(label, from, to) {
    this.#bodies.push([this.#length, this.#length + to - from, from]);
    this.#add(label.bytes.subarray(from, to));
  }

  #addBody(script, label) {
    if (script.framing !== 'chunked') {
      this.#addPiece(label, 0, label.size);
      return;
    }
    const random = new Random(...label.key, 1);
    const broken = script.fault?.kind === 'chunk' ? Math.floor(label.size * script.fault.at) : -1;
    for (let at = 0; at < label.size; ) {
      const size = Math.min(label.size - at, random.int(1, script.chunk * 2));
      if (broken >= at && broken < at + size) {
        this.broken = true;
        this.#addBroken(script.fault.what, label, at, size);
        return;
      }
      this.#add(`${size.toString(16)}${random.once(8) ? ';x=y' : ''}\r\n`);
      this.#addPiece(label, at, at + size);
      this.#add('\r\n');
      at += size;
    }
    this.#add(script.trailers ? `0\r\nX-Sum: ${label.size}\r\n\r\n` : '0\r\n\r\n');
  }

  #addBroken(what, label, at, size) {
    if (what === 'size') {
      this.#add('xyz\r\n');
      return;
    }
    if (what === 'bare') {
      this.#add(`${size.toString(16)}\n`);
      return;
    }
    this.#add(`${size.toString(16)}\r\n`);
    this.#addPiece(label, at, at + size);
    this.#add('!!0\r\n\r\n');
  }

  /** How many bytes of the body have gone out when so many bytes of the whole have. */
  bodyAt(offset) {
    let most = 0;
    for (const [from, to, start] of this.#bodies) {
      if (offset <= from) break;
      most = start + Math.min(offset, to) - from;
    }
    return most;
  }
}
