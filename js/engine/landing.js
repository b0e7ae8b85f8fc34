// SPDX-License-Identifier: MIT
//
// Where what comes next goes, which a transport is told before each read:
//
//   a reader's memory    if it is ours, and much is due that is the body's for sure
//   the core's           the chunks of a long body that come fast: they are decoded where they lie
//   the block            anything else. It is taken out at once, by the reader or by the core
//
// The core's memory is lent. Until the read has come, or the socket is closed, nobody else may have it, whatever becomes of
// the channel, the response and the transport meanwhile: the system holds its address. It is lent amid a body only, as a socket
// keeps what it was given for its next read, also when it is closed.

import { BLOCK, LEAD } from '../../bindings/node/transport.js';
import { PHASE_CHUNKED, PHASE_CLOSE } from '../../bindings/generated/abi.js';
import * as turnover from './turnover.js';

/** So many body bytes have to be due for a read that bypasses the guest … */
const DIRECT_MIN = 64 * 1024;
/** … and memory of ours has to have room for so many, or for a TLS record, to be read into … */
const ROOM_MIN = 64 * 1024;
const RECORD = 16 * 1024;
/** … and so many of them come through the guest at last, so that what follows a body unasked is seen. */
const DIRECT_REST = 16 * 1024;
/** A caller's memory with room for so many is filled to its end by one read, so that the next one fills the next. */
const FILL_MIN = 16 * 1024;

/**
 * An answer of so many bytes is likely to go on: as long as there is more at once it is read by whole blocks, or lent memory. Where
 * few connections are open, so that it matters little what memory each has touched …
 */
const LONG = 64 * 1024;
/** … or many. */
const LONG_OF_MANY = 512 * 1024;

export class Landing {
  #channel;
  #lent = false;

  /** @param {import('./channel.js').Channel} channel */
  constructor(channel) {
    this.#channel = channel;
  }

  /** How many of the next bytes are body bytes for sure, and may go to a reader without the guest. */
  get #certain() {
    const { core } = this.#channel;
    return core.phase === PHASE_CLOSE ? core.direct() : core.direct() - DIRECT_REST;
  }

  /** @returns {Uint8Array | null} memory for the next read, other than the block */
  offer() {
    const channel = this.#channel;
    const { transport, reader, core } = channel;
    const long = transport.filled && channel.bytesReceived > (turnover.few() ? LONG : LONG_OF_MANY);
    transport.most = long ? BLOCK : LEAD;
    const due = core.open ? this.#certain : 0;
    if (due < DIRECT_MIN) {
      if (!long) return null;
      channel.spacious = true; // all of it can go through the guest
      return core.open && core.phase === PHASE_CHUNKED && !transport.byRecord ? this.#lend() : null;
    }
    transport.most = BLOCK;
    if (reader === null) return null;
    const room = reader.room();
    if (room !== null && room.length >= (transport.byRecord ? RECORD : ROOM_MIN)) {
      return room.length > due ? room.subarray(0, due) : room;
    }
    const { wanted } = reader;
    if (!transport.byRecord && wanted >= FILL_MIN && wanted < BLOCK) transport.most = wanted;
    return null;
  }

  /** @returns {Uint8Array | null} the core's memory, which is the transport's until it says otherwise; null where it is full */
  #lend() {
    const channel = this.#channel;
    const region = channel.core.region();
    if (region === null) return null;
    channel.hold();
    this.#lent = true;
    channel.transport.onreturn = this.#returned;
    return region;
  }

  /** A read has come, and was seen to, or the socket is closed. */
  #returned = () => {
    this.#lent = false;
    this.#channel.letGo();
  };

  /** Has the system an address in the core's memory? */
  get lent() {
    return this.#lent;
  }

  /** Bytes came into the core's memory. @returns {boolean} were they taken? */
  landed(length) {
    const channel = this.#channel;
    if (!this.#lent) return false; // another channel's, which had the transport before
    this.#lent = false;
    if (channel.busy) return false;
    channel.pump(length);
    return true;
  }

  /** So many bytes came elsewhere. @returns {number} how many of them the reader has taken */
  passed(memory, length) {
    const channel = this.#channel;
    const { core, reader } = channel;
    if (reader === null || channel.busy) return 0;
    const certain = this.#certain;
    if (certain <= 0) return 0;
    const most = Math.min(length, certain);
    const count = reader.passed(most === memory.length ? memory : memory.subarray(0, most));
    if (count === 0) return 0;
    core.passed(count);
    if (count === length) channel.bypassed();
    return count;
  }
}
