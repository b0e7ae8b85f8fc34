// SPDX-License-Identifier: MIT
//
// porthole/host: the host side of porthole for guests that have no sockets. Importing it has no side effect.

export { createHost } from './host/host.js';
