// SPDX-License-Identifier: MIT
//
// Addresses as numbers: what they are, which blocks hold them, and who may be reached there.

import net from 'node:net';
import { domainToASCII } from 'node:url';
import { CARRIERS, SPECIAL_PURPOSE } from './registries.js';

const BITS = { 4: 32, 6: 128 };

/**
 * @typedef {object} Address
 * @property {4 | 6} family
 * @property {bigint} number
 * @property {string} text as RFC 5952 writes it
 */

/**
 * @typedef {object} Block
 * @property {4 | 6} family
 * @property {bigint} number of the first address
 * @property {number} length of the prefix
 */

function ipv4Number(text) {
  return text.split('.').reduce((number, part) => number * 256n + BigInt(part), 0n);
}

/** The 16-bit words of one side of "::". */
function wordsOf(text) {
  if (text === '') return [];
  return text.split(':').flatMap((word) => {
    if (!word.includes('.')) return [BigInt(`0x${word}`)];
    const number = ipv4Number(word);
    return [number >> 16n, number & 0xffffn];
  });
}

function ipv6Number(text) {
  const [front, back] = text.split('::').map(wordsOf);
  const words = back === undefined ? front : [...front, ...new Array(8 - front.length - back.length).fill(0n), ...back];
  return words.reduce((number, word) => (number << 16n) | word, 0n);
}

/**
 * Reads an address in its usual spelling: four decimal numbers, or IPv6 without brackets and without a zone.
 *
 * @param {string} text
 * @returns {Address | null}
 */
export function addressOf(text) {
  if (net.isIPv4(text)) return { family: 4, number: ipv4Number(text), text };
  if (!net.isIPv6(text) || text.includes('%')) return null;
  return { family: 6, number: ipv6Number(text), text: new URL(`http://[${text}]`).hostname.slice(1, -1) };
}

/**
 * The address that a name is an odd spelling of, for whoever looks it up: 127.1, 0x7f.1, 2130706433, digits of other scripts.
 *
 * @param {string} name
 * @returns {string | null} the address; the name itself, when it ends in a number and is no address; null for a name
 */
export function oddlySpelt(name) {
  const ascii = domainToASCII(name);
  if (net.isIPv4(ascii)) return ascii;
  // A name does not end in a number (WHATWG URL, section 3.5): some look-ups take it for an address all the same.
  return /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(name) ? name : null;
}

/**
 * Reads `10.0.0.0/8`, `fd00::/8` or an address, which is a block of one.
 *
 * @param {string} text
 * @returns {Block | null} null for what is none, bits behind the prefix included
 */
export function blockOf(text) {
  const [, base, digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = base === undefined ? null : addressOf(base);
  if (address === null) return null;
  const bits = BITS[address.family];
  const length = digits === undefined ? bits : Number(digits);
  if (length > bits) return null;
  const behind = (1n << BigInt(bits - length)) - 1n;
  return (address.number & behind) === 0n ? { family: address.family, number: address.number, length } : null;
}

/** @param {Block} block @param {Address} address */
export function holds(block, address) {
  if (block.family !== address.family) return false;
  const behind = BigInt(BITS[block.family] - block.length);
  return address.number >> behind === block.number >> behind;
}

/** The blocks of the registries, longest prefix first. */
const special = SPECIAL_PURPOSE.map(([text, name, global]) => ({ text, name, global, block: blockOf(text) }));
special.sort((one, other) => other.block.length - one.block.length);
const carriers = CARRIERS.map(([text, behind, inverted]) => ({ block: blockOf(text), behind: BigInt(behind), inverted }));

/**
 * The block of the registries that keeps an address from being everybody's.
 *
 * @param {Address} address
 * @returns {{block: string, name: string} | null} null for one that is globally reachable
 */
export function specialPurpose(address) {
  const found = special.find(({ block }) => holds(block, address));
  if (found !== undefined) return found.global ? null : { block: found.text, name: found.name };
  return address.family === 4 ? null : { block: '::/0', name: 'not global unicast' };
}

/**
 * The IPv4 address that one of IPv6 carries: mapped, compatible, translated, NAT64, 6to4, Teredo.
 *
 * @param {Address} address
 * @returns {Address | null}
 */
export function carried(address) {
  const carrier = carriers.find(({ block }) => holds(block, address));
  if (carrier === undefined) return null;
  let number = (address.number >> carrier.behind) & 0xffffffffn;
  if (carrier.inverted) number ^= 0xffffffffn;
  return { family: 4, number, text: [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.') };
}
