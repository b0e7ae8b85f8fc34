// SPDX-License-Identifier: MIT
//
// Modules of Node that take a while to load, and that most programs which import porthole may never need: they are loaded
// when something of them is used first. TLS with all of crypto takes about as long as porthole itself.

/** @returns {typeof import('node:tls')} */
export const tls = () => process.getBuiltinModule('node:tls');

/** @returns {typeof import('node:crypto')} */
export const crypto = () => process.getBuiltinModule('node:crypto');

/** @returns {typeof import('node:dns')} */
export const dns = () => process.getBuiltinModule('node:dns');
