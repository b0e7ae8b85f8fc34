// SPDX-License-Identifier: MIT
//
// Type declarations of `porthole`. Names, order of arguments and behaviour are those of Python's http.client;
// js/README.md is the manual. Times are in seconds, sizes in bytes, unless said otherwise.

/// <reference types="node" />

export * from '../bindings/generated/status.js';
export * from './types/connection.js';
export * from './types/errors.js';
export * from './types/https.js';
export * from './types/message.js';
export * from './types/response.js';
export * from './types/values.js';

/** The default port of HTTP. */
export declare const HTTP_PORT: 80;

/** The default port of HTTPS. */
export declare const HTTPS_PORT: 443;
