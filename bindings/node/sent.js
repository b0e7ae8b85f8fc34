// SPDX-License-Identifier: MIT
//
// Whether a peer takes what was sent. The kernel asks for more only when a third of its send buffer is free, which takes a
// slow peer longer than many a time limit; what it still holds is in its table of connections (Linux). A write of which the
// kernel has only a part is with Node's handle, which counts the rest.

import { readFileSync } from 'node:fs';
import net from 'node:net';

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** An address and a port as the kernel writes them: words of the host's byte order, in hexadecimal. */
function tableKey(address, port) {
  const bytes = net.isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : bytesOfIPv6(address);
  if (bytes === null) return null;
  if (LITTLE_ENDIAN) bytes.swap32();
  return `${bytes.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function bytesOfIPv6(address) {
  const [head, tail] = address.replace(/%.*/, '').split('::');
  const words = (text) => (text ? text.split(':').flatMap((word) => (word.includes('.') ? ipv4Words(word) : [Number.parseInt(word, 16)])) : []);
  const front = words(head);
  const back = words(tail);
  const bytes = Buffer.alloc(16);
  if (front.length + back.length > 8 || [...front, ...back].some(Number.isNaN)) return null;
  front.forEach((word, index) => bytes.writeUInt16BE(word, 2 * index));
  back.forEach((word, index) => bytes.writeUInt16BE(word, 16 - 2 * (back.length - index)));
  return bytes;
}

function ipv4Words(text) {
  const [a, b, c, d] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

/**
 * @param {any} socket
 * @returns {string} what is on its way to the peer, as far as it is to be known: it changes whenever the peer takes some
 */
export function underWay(socket) {
  return `${socket._handle?.writeQueueSize} ${unacknowledged(socket)}`;
}

/** Bytes that the peer has not acknowledged; null where that is not to be known. @param {import('node:net').Socket} socket */
function unacknowledged(socket) {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (process.platform !== 'linux' || !localAddress || !remoteAddress) return null;
  const local = tableKey(localAddress, localPort);
  const remote = tableKey(remoteAddress, remotePort);
  try {
    const table = readFileSync(net.isIPv4(localAddress) ? '/proc/self/net/tcp' : '/proc/self/net/tcp6', 'latin1');
    const at = table.indexOf(` ${local} ${remote} `);
    return at < 0 ? null : Number.parseInt(table.substring(at).split(' ')[4], 16);
  } catch {
    return null;
  }
}
