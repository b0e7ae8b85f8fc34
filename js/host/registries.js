// SPDX-License-Identifier: MIT
//
// What of the address space is not for everybody, as data: IANA's special-purpose registries (RFC 6890, RFC 8190), and what
// is no global unicast at all. The longest block that holds an address decides; IPv6 outside of every block is refused.
// Where the registry says "N/A" for what is globally reachable, and for every form that carries an IPv4 address, it is false
// here (NAT64's 64:ff9b::/96 is true there): such an address is as good as what it carries, and that is judged on its own.
// What a wider block refuses as well is left out: 192.0.0.0/29, 192.0.0.8, 192.0.0.170, 192.0.0.171 and 192.88.99.2.
//
// The entries were not copied from IANA's own files: they, their answers and the date were compared with several public
// transcriptions of both registries that name this date or the RFCs, with ipaddress.py of CPython 3.13, and with copies of
// Ipv6Addr::is_global out of Rust's standard library.

/** When IANA changed its registries last, as they are copied here. */
export const REGISTRIES_DATE = '2025-10-09';

/**
 * Blocks, their names, and whether they are globally reachable.
 *
 * @type {ReadonlyArray<readonly [block: string, name: string, global: boolean]>}
 */
export const SPECIAL_PURPOSE = Object.freeze([
  // https://www.iana.org/assignments/iana-ipv4-special-registry
  ['0.0.0.0/8', 'this network', false],
  ['10.0.0.0/8', 'private use', false],
  ['100.64.0.0/10', 'shared address space', false],
  ['127.0.0.0/8', 'loopback', false],
  ['169.254.0.0/16', 'link-local', false],
  ['172.16.0.0/12', 'private use', false],
  ['192.0.0.0/24', 'IETF protocol assignments', false],
  ['192.0.0.9/32', 'Port Control Protocol anycast', true],
  ['192.0.0.10/32', 'TURN anycast', true],
  ['192.0.2.0/24', 'documentation', false],
  ['192.31.196.0/24', 'AS112', true],
  ['192.52.193.0/24', 'AMT', true],
  ['192.88.99.0/24', '6to4 relay anycast', false],
  ['192.168.0.0/16', 'private use', false],
  ['192.175.48.0/24', 'AS112', true],
  ['198.18.0.0/15', 'benchmarking', false],
  ['198.51.100.0/24', 'documentation', false],
  ['203.0.113.0/24', 'documentation', false],
  ['240.0.0.0/4', 'reserved', false],
  ['255.255.255.255/32', 'limited broadcast', false],

  // https://www.iana.org/assignments/iana-ipv6-special-registry
  ['::/128', 'unspecified address', false],
  ['::1/128', 'loopback', false],
  ['::ffff:0:0/96', 'IPv4-mapped address', false],
  ['64:ff9b::/96', 'NAT64', false],
  ['64:ff9b:1::/48', 'local NAT64', false],
  ['100::/64', 'discard-only', false],
  ['100:0:0:1::/64', 'dummy prefix', false],
  ['2001::/23', 'IETF protocol assignments', false],
  ['2001::/32', 'Teredo', false],
  ['2001:1::1/128', 'Port Control Protocol anycast', true],
  ['2001:1::2/128', 'TURN anycast', true],
  ['2001:1::3/128', 'DNS-SD service registration anycast', true],
  ['2001:2::/48', 'benchmarking', false],
  ['2001:3::/32', 'AMT', true],
  ['2001:4:112::/48', 'AS112', true],
  ['2001:10::/28', 'ORCHID, which has ended', false],
  ['2001:20::/28', 'ORCHIDv2', true],
  ['2001:30::/28', 'drone remote identification', true],
  ['2001:db8::/32', 'documentation', false],
  ['2002::/16', '6to4', false],
  ['2620:4f:8000::/48', 'AS112', true],
  ['3fff::/20', 'documentation', false],
  ['5f00::/16', 'segment routing', false],
  ['fc00::/7', 'unique-local', false],
  ['fe80::/10', 'link-local', false],

  // What is no unicast, or not given out (RFC 4291, RFC 5771).
  ['224.0.0.0/4', 'multicast', false],
  ['ff00::/8', 'multicast', false],
  ['fec0::/10', 'site-local', false],
  ['::/96', 'IPv4-compatible address', false],
  ['::ffff:0:0:0/96', 'IPv4-translated address', false],
  ['2000::/3', 'global unicast', true],
]);

/**
 * Forms of IPv6 that carry an IPv4 address: the block, how many bits stand behind it, and whether they are inverted.
 *
 * @type {ReadonlyArray<readonly [block: string, behind: number, inverted: boolean]>}
 */
export const CARRIERS = Object.freeze([
  ['::/96', 0, false],
  ['::ffff:0:0/96', 0, false],
  ['::ffff:0:0:0/96', 0, false],
  ['64:ff9b::/96', 0, false],
  ['64:ff9b:1::/48', 0, false],
  ['2002::/16', 80, false],
  ['2001::/32', 0, true],
]);
