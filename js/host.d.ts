// SPDX-License-Identifier: MIT
//
// Type declarations of `porthole/host`: the host side for guests that have no sockets. js/guide/plugins.md is the manual.
// Times are in seconds, sizes in bytes.

/// <reference types="node" />

export * from './types/host.js';
